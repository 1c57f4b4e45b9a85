"""Follows the event logs of live jobs: into the database, and out to the browsers."""

from collections.abc import Callable
from typing import Any

import gevent

from app import log_index
from app.catalog import Catalog
from app.database import JobRow
from app.full_disk import every
from jobs.events import FINAL_STATES, Event
from jobs.folder import JobFolder

INTERVAL = 0.1
LIVE = frozenset({"waiting", "running"})

Send = Callable[[str, list[Event]], Any]


class Follower:
    """Reads what is new in the logs; `send(job id, events)` passes it on."""

    def __init__(self, catalog: Catalog, send: Send) -> None:
        self._catalog, self._send = catalog, send

    def run(self) -> None:
        every(INTERVAL, self.follow)

    def follow(self) -> None:
        """One round over all live jobs."""
        for row in self._catalog.find(states=LIVE, limit=100_000):
            folder = self._catalog.folder(row.id)
            if not folder.path.exists():
                continue  # It was deleted meanwhile.
            # Asked before the last read: a worker that ends in between has written its end by then.
            lost = (row.launched or row.state == "running") and not folder.worker_lives()
            state = self._read(row, folder)
            if lost and state not in FINAL_STATES and row.id not in self._catalog.aborting:
                self._catalog.write_end(folder, "error", _last_words(folder))

    def _read(self, row: JobRow, folder: JobFolder) -> str:
        """Take in the new events of a job and pass them on; return its state."""
        state, events, offset = self._catalog.catch_up(row)
        if events:
            self._send(row.id, events)
            if log_index.is_far_behind(folder, offset):
                gevent.spawn(log_index.update, folder)
        return state


def _last_words(folder: JobFolder) -> str:
    lines = folder.worker_log.read_text(errors="replace").split("\n") if folder.worker_log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f" Its last words: {last[:300]}" if last else ""
    return f"The worker ended without saying how.{said} What it had finished is kept: Resume goes on from there."
