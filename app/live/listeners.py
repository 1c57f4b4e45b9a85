"""The clients that watch each job, and the last event sent to each client.

The event log is the only queue. A client that keeps up receives each new event at once, in a
message shared by all such clients. A slower client receives nothing until its connection has
drained, and then the next part of the log. A stalled client costs the server a few messages of
memory, and does not slow down other clients.
"""

from collections import defaultdict
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Any

from gevent.event import Event as Signal
from sqlalchemy.exc import OperationalError

from app.answers import EventsMessage
from app.live.extensions import socketio
from app.runner.loops import repeat
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent

NAMESPACE = "/jobs"
ALL = "*"
TYPES_IF_SHOWN = frozenset({"state", "progress", "snapshot", "scalars", "hardware"})
"""Event types sent to a list page for the jobs that it shows. Other jobs: `state` only."""
MAX_PENDING = 8
"""Messages in the send queue of a client's connection beyond which the client is late."""
EVENTS_PER_MESSAGE = 500
"""Events from a log in one message."""
INTERVAL = 0.05
"""Seconds between two rounds for late clients."""

FindFolder = Callable[[str], JobFolder]


class Listeners:
    """The clients of `/jobs`, by their sid.

    `folder(job)` returns the folder with a job's log, `last_read(job)` the number of the last event
    that the database contains.
    """

    def __init__(self, folder: FindFolder, last_read: Callable[[str], int]) -> None:
        self._folder, self._last_read = folder, last_read
        self._sent: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By job and client: the number of the last event sent to the client."""
        self._shown: dict[str, frozenset[str]] = {}
        """By client that watches all jobs: the jobs that its page shows."""
        self._late: set[tuple[str, str]] = set()
        """(client, job) pairs that get their next events from the log."""
        self._any_late = Signal()

    def add(self, client: str, job: str, since: int) -> None:
        """Send a client all events of a job after `since`, and new events from now on."""
        self._sent[job][client] = since
        self._late.add((client, job))
        self._any_late.set()
        self._catch_up(client, job)

    def add_to_all(self, client: str, shown: frozenset[str]) -> None:
        """Send a client new states of all jobs, and more events of the jobs that it shows."""
        self._sent[ALL][client] = 0
        self._shown[client] = shown

    def remove(self, client: str, job: str) -> None:
        self._sent[job].pop(client, None)
        if job == ALL:
            self._shown.pop(client, None)
        self._late.discard((client, job))
        if not self._sent[job]:
            del self._sent[job]

    def forget(self, client: str) -> None:
        for job in [job for job, sent in self._sent.items() if client in sent]:
            self.remove(client, job)

    def clients(self) -> int:
        return len({client for sent in self._sent.values() for client in sent})

    def late(self) -> int:
        return len({client for client, _ in self._late})

    def send(self, job: str, events: list[JobEvent]) -> None:
        """Send new events of a job, which its log already has."""
        self._send_new(job, events)
        self._send_to_all(job, events)

    def _send_new(self, job: str, events: list[JobEvent]) -> None:
        sent, last, on_time = self._sent.get(job, {}), int(events[-1]["seq"]), list[str]()
        for client, seq in sent.items():
            if (client, job) in self._late or seq >= last:
                continue  # It gets these events from the log, or has them already.
            if seq == events[0]["seq"] - 1 and _keeps_up(client):
                on_time.append(client)
            else:
                self._late.add((client, job))
                self._any_late.set()
        sent.update(dict.fromkeys(on_time, last))
        _emit({"job": job, "events": events}, on_time)

    def _send_to_all(self, job: str, events: list[JobEvent]) -> None:
        """Send events to the list pages.

        List pages reload after missed events; replaying old events would be useless to them.
        """
        showing = [client for client, shown in self._shown.items() if job in shown]
        others = [client for client in self._shown if client not in showing]
        for clients, types in ((showing, TYPES_IF_SHOWN), (others, {"state"})):
            relevant = [event for event in events if event["type"] in types]
            if not relevant or not clients:
                continue
            on_time = [
                client
                for client in clients
                if (client, ALL) not in self._late and _keeps_up(client)
            ]
            _emit({"job": job, "events": relevant}, on_time)
            self._late |= {(client, ALL) for client in clients if client not in on_time}
            if len(on_time) < len(clients):
                self._any_late.set()

    def send_gone(self, job: str, why: str) -> None:
        """Notify the clients that watch a job that it no longer exists; `why` is the message."""
        clients = list(self._sent.pop(job, {}))
        self._late -= {(client, job) for client in clients}
        _emit({"job": job, "events": [], "error": why}, clients)
        self.send_changed()

    def send_missed(self, job: str) -> None:
        """Send the clients of a job what they miss; list pages reload."""
        self._late |= {(client, job) for client in self._sent.get(job, {})}
        self.send_changed()

    def send_changed(self) -> None:
        """Make list pages reload, because a job was added, removed or changed."""
        self._late |= {(client, ALL) for client in self._shown}
        self._any_late.set()

    def run(self) -> None:
        """Send late clients the events that they miss, as fast as their connections drain."""
        repeat(INTERVAL, self._catch_up_all)

    def _catch_up_all(self) -> None:
        """Wait for late clients, and send each its next events. Raises the last error, if any."""
        self._any_late.wait()
        failure: OSError | OperationalError | None = None
        for client, job in list(self._late):
            try:
                self._catch_up(client, job)
            except (OSError, OperationalError) as error:
                failure = error  # The others get their events first.
        if failure:
            raise failure
        if not self._late:
            self._any_late.clear()

    def _catch_up(self, client: str, job: str) -> None:
        if (client, job) not in self._late or _pending(client):
            return
        if job == ALL:
            self._late.discard((client, job))
            _emit({"job": ALL, "events": [], "missed": True}, [client])
            return
        self._late.discard((client, job))  # New events from here on make it late again.
        is_late = True  # After an error, too.
        try:
            is_late = self._send_part(client, job)
        finally:
            if is_late and client in self._sent.get(job, {}):
                self._late.add((client, job))
                self._any_late.set()

    def _send_part(self, client: str, job: str) -> bool:
        """Send a client its next events from the log. Returns whether the log may have more.

        A client that learns that a job is done requests its result, which comes from the database:
        events that are not there yet wait. The follower sends them in a moment.
        """
        last = self._last_read(job)  # The client may leave before it answers.
        since = self._sent.get(job, {}).get(client)
        if since is None:
            return False
        log = read(self._folder(job).events, since)
        known = takewhile(lambda event: event["seq"] <= last, log)
        events = list(islice(known, EVENTS_PER_MESSAGE))
        if events:
            self._sent[job][client] = events[-1]["seq"]
            _emit({"job": job, "events": events}, [client])
        return len(events) == EVENTS_PER_MESSAGE


def _keeps_up(client: str) -> bool:
    return _pending(client) < MAX_PENDING


def _pending(client: str) -> int:
    """Number of messages in the send queue of the client's connection."""
    server: Any = socketio.server
    connection = server.eio.sockets.get(server.manager.eio_sid_from_sid(client, NAMESPACE))
    return connection.queue.qsize() if connection is not None else 0


def _emit(message: EventsMessage, clients: list[str]) -> None:
    if clients:  # An empty recipient list would broadcast.
        socketio.emit("events", message, to=clients, namespace=NAMESPACE)
