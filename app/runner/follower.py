"""Follows the event logs of live jobs: into the database, and out to the browsers."""

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent

from app.catalog import log_index
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.runner.loops import every
from jobs.core import launcher, limits
from jobs.core.events import FINAL_STATES, Event
from jobs.core.folder import JobFolder

INTERVAL = 0.1
FOLDERS_INTERVAL = 2.0
PATIENCE = 60.0
"""Seconds that a worker has to end by itself when its time is up."""
LIVE = frozenset({"waiting", "running"})

Send = Callable[[str, list[Event]], Any]


class Follower:
    """Reads what is new in the logs; `send(job id, events)` passes it on, `gone(job id)` that its folder was taken away, `came()`
    that there are jobs that were not there before, or go on."""

    def __init__(
        self,
        catalog: Catalog,
        send: Send,
        gone: Callable[[str], Any],
        came: Callable[[], Any] = lambda: None,
    ) -> None:
        self._catalog, self._send, self._gone, self._came = catalog, send, gone, came
        self._looked = time.monotonic()
        self._read_to: dict[str, int] = {}
        """By the id of a live job: the offset in its log behind what was passed on."""

    def run(self) -> None:
        every(INTERVAL, self.follow)

    def follow(self) -> None:
        """One round over all live jobs, and now and then over all folders."""
        if time.monotonic() - self._looked > FOLDERS_INTERVAL:
            self._looked = time.monotonic()
            for id in self._catalog.take_in_folders(at_start=False):
                self._gone(id)
        live = self._catalog.find(states=LIVE, limit=100_000)
        if any(row.id not in self._read_to for row in live):
            self._came()
        self._read_to = {row.id: self._read_to.get(row.id, row.offset) for row in live}
        for row in live:
            folder = self._catalog.folder(row.id)
            if not folder.path.exists():
                continue  # It was deleted, or taken away.
            # Asked before the last read: a worker that ends in between has written its end by then.
            lost = (
                row.id in self._catalog.launched or row.state == "running"
            ) and not folder.worker_lives()
            state = self._read(row, folder)
            if state == "running" and _hangs(row) and row.id not in self._catalog.aborting:
                self._catalog.abort(row.id, limits.too_long())
            if lost and state not in FINAL_STATES and row.id not in self._catalog.aborting:
                launcher.end_rest(folder)
                self._catalog.write_end(folder, "error", _last_words(folder))

    def look(self, id: str) -> None:
        """Read the log of one job, of which there is something new."""
        row = self._catalog.get(id)
        if row is not None and row.state in LIVE:
            self._read(row, self._catalog.folder(id))

    def _read(self, row: JobRow, folder: JobFolder) -> str:
        """Take in the new events of a job and pass them on; return its state."""
        row.offset = max(
            row.offset, self._read_to.get(row.id, 0)
        )  # A row that was fetched a moment ago may be behind.
        state, events, offset = self._catalog.catch_up(row)
        self._read_to[row.id] = offset
        for event in events:
            if event["type"] == "state":
                _say(row, event)
        if events:
            self._send(row.id, events)
            if log_index.is_far_behind(folder, offset):
                gevent.spawn(log_index.update, folder)
        return state


def _hangs(row: JobRow) -> bool:
    """Whether it works on though its time is up: a worker ends by itself, unless it does not come to look at the clock."""
    most, started = limits.max_hours() * 3600, row.view["started"]
    return bool(most and started and time.time() > started + most + PATIENCE)


def _say(row: JobRow, event: Event) -> None:
    told = {
        "job": row.id,
        "kind": row.kind,
        "job_name": row.name,
        "state": event["state"],
        "reason": event.get("reason", ""),
    }
    why = f": {told['reason']}" if told["reason"] else ""
    logging.getLogger(__name__).info(
        "The %s “%s” (%s) is %s%s", row.kind, row.name, row.id, event["state"], why, extra=told
    )


def _last_words(folder: JobFolder) -> str:
    lines = (
        folder.worker_log.read_text(errors="replace").split("\n")
        if folder.worker_log.exists()
        else []
    )
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f" Its last words: {last[:300]}" if last else ""
    return f"The worker ended without saying how.{said} What it had finished is kept: Resume goes on from there."
