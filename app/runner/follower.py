"""Follows the event logs of live jobs: updates the database and passes events to browsers."""

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
from sqlalchemy.exc import OperationalError

from app.catalog import log_index
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.catalog.index import LIVE
from app.runner.loops import repeat
from jobs.core import launcher, limits
from jobs.core.events import FINAL_STATES
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent, StateEvent

INTERVAL = 0.1
FOLDERS_INTERVAL = 2.0
PATIENCE = 60.0
"""Seconds that a worker has to end by itself after the time limit of its job."""

Send = Callable[[str, list[JobEvent]], Any]


class Follower:
    """Reads new events from the logs of live jobs.

    Callbacks: `send(job id, events)` for new events, `removed(job id)` after a job's folder was
    removed, `added()` after jobs were created or resumed, `missed(job id)` where the database may
    have events that were not sent.
    """

    def __init__(
        self,
        catalog: Catalog,
        send: Send,
        removed: Callable[[str], Any],
        added: Callable[[], Any] = lambda: None,
        missed: Callable[[str], Any] = lambda job: None,
    ) -> None:
        self._catalog, self._send, self._removed = catalog, send, removed
        self._added, self._missed = added, missed
        self._folders_synced = time.monotonic()
        self._offsets: dict[str, int] = {}
        """By the id of a live job: the byte offset just after the last event that was sent."""
        self._started_again: set[str] = set()
        self._perhaps_missed: set[str] = set()
        """The ids of jobs whose last events could not be written, or perhaps were."""

    def run(self) -> None:
        repeat(INTERVAL, self.follow)

    def follow(self) -> None:
        """Do one round over all live jobs, and every FOLDERS_INTERVAL over all folders."""
        if time.monotonic() - self._folders_synced > FOLDERS_INTERVAL:
            self._folders_synced = time.monotonic()
            for id in self._catalog.sync_folders(at_start=False):
                self._removed(id)
        live = self._catalog.live()
        if any(row.id not in self._offsets for row in live):
            self._added()
        self._offsets = {row.id: self._offsets.get(row.id, row.offset) for row in live}
        for row in live:
            folder = self._catalog.folder(row.id)
            if not folder.path.exists():
                continue
            # Check for the worker before the read: a worker that ends in between logged its end.
            lost = (
                row.id in self._catalog.launched or row.state == "running"
            ) and not folder.worker_lives()
            state = self._read(row, folder)
            if state == "running" and _hangs(row) and row.id not in self._catalog.aborting:
                self._catalog.abort(row.id, limits.out_of_time_reason())
            if lost and state not in FINAL_STATES and row.id not in self._catalog.aborting:
                if state == "waiting" and self._may_start_again(folder):
                    self._catalog.launched.discard(row.id)
                    continue
                launcher.kill_leftovers(folder)
                self._catalog.write_end(folder, "error", _lost_reason(folder))
        while self._perhaps_missed:
            self._missed(self._perhaps_missed.pop())

    def _may_start_again(self, folder: JobFolder) -> bool:
        """Whether a worker that ended before it began, without a word, is started once more.

        A server that is killed while it starts a worker leaves one that ends at once.
        """
        again = not _last_line(folder) and folder.id not in self._started_again
        self._started_again.add(folder.id)
        return again

    def follow_job(self, id: str) -> None:
        """Read the log of a job that has new events."""
        row = self._catalog.get(id)
        if row is not None and row.state in LIVE:
            self._read(row, self._catalog.folder(id))

    def _read(self, row: JobRow, folder: JobFolder) -> str:
        """Index and send the new events of a job; return its state."""
        # The row may be stale: another greenlet may have read events since it was fetched.
        try:
            state, events, offset = self._catalog.catch_up(row, self._offsets.get(row.id, 0))
        except OperationalError:  # The commit may be done, although its answer was lost.
            self._perhaps_missed.add(row.id)
            raise
        self._offsets[row.id] = offset
        for event in events:
            if event["type"] == "state":
                _log_state(row, event)
        if events:
            self._send(row.id, events)
            if log_index.is_far_behind(folder, offset):
                gevent.spawn(log_index.update, folder)
        return state


def _hangs(row: JobRow) -> bool:
    """Whether the worker runs beyond the time limit: it hangs and cannot check its own timer."""
    limit, started = limits.max_hours() * 3600, row.view["started"]
    return bool(limit and started and time.time() > started + limit + PATIENCE)


def _log_state(row: JobRow, event: StateEvent) -> None:
    fields = {
        "job": row.id,
        "kind": row.kind,
        "job_name": row.name,
        "state": event["state"],
        "reason": event.get("reason", ""),
    }
    reason = f": {fields['reason']}" if fields["reason"] else ""
    logging.getLogger(__name__).info(
        "The %s “%s” (%s) is %s%s", row.kind, row.name, row.id, event["state"], reason, extra=fields
    )


def _lost_reason(folder: JobFolder) -> str:
    """The reason for the state "error" of a job whose worker has died."""
    last = _last_line(folder)
    output = f"The last line of its log is “{last[:300]}”." if last else "Its log is empty."
    return (
        f"The worker exited unexpectedly. {output} "
        "Finished work is kept: Resume continues from there."
    )


def _last_line(folder: JobFolder) -> str:
    """The last line that a worker wrote; empty if it wrote none."""
    if not folder.worker_log.exists():
        return ""
    lines = folder.worker_log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
