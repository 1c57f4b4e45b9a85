"""Live updates: the Socket.IO namespace `/jobs`.

A client emits `watch {"job": id or "*", "since": seq}` and gets `events {"job", "events"}`: first
all it missed, then what happens. "*" gives the states, progress and snapshots of all jobs.
"""

from typing import Any

from flask_socketio import Namespace, emit, join_room, leave_room

from app.catalog import Catalog
from app.extensions import socketio
from jobs.events import Event, read

NAMESPACE = "/jobs"
ALL = "*"
GONE = "This job was deleted."
TYPES_FOR_ALL = frozenset({"state", "progress", "snapshot"})


def send(job: str, events: list[Event]) -> None:
    """Pass new events of a job to those who watch it."""
    socketio.emit("events", {"job": job, "events": events}, to=job, namespace=NAMESPACE)
    few = [event for event in events if event["type"] in TYPES_FOR_ALL]
    if few:
        socketio.emit("events", {"job": job, "events": few}, to=ALL, namespace=NAMESPACE)


def send_gone(job: str) -> None:
    """Tell those who watch a job that it was deleted."""
    socketio.emit("events", {"job": job, "events": [], "error": GONE}, to=job, namespace=NAMESPACE)


class Jobs(Namespace):  # type: ignore[misc]  # flask-socketio has no types
    """The rooms: one a job, and one for all."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(NAMESPACE)
        self._catalog = catalog

    def on_watch(self, message: Any) -> None:
        job, since = _read_message(message)
        if job == ALL:
            join_room(ALL)
            return
        if self._catalog.get(job) is None:
            emit("events", {"job": job, "events": [], "error": GONE})
            return
        # Joined first: what the follower sends meanwhile may come twice (clients drop a seq they have), never not at all.
        join_room(job)
        missed = list(read(self._catalog.folder(job).events, since))
        if missed:
            emit("events", {"job": job, "events": missed})

    def on_unwatch(self, message: Any) -> None:
        leave_room(_read_message(message)[0])


def _read_message(message: Any) -> tuple[str, int]:
    if not isinstance(message, dict) or not isinstance(message.get("job"), str):
        return "", 0
    since = message.get("since")
    return message["job"], since if isinstance(since, int) else 0
