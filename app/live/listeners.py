"""Who listens to which job, and up to which event each was told.

The log is the only queue. A client that takes in what it is sent gets each new event as it comes, all of these clients the same
message. One that is slower is left alone until it has taken in what is under way, and then gets the next part out of the log: a
client that stands still costs the server a few messages, and no other client anything.
"""

from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

import gevent
from gevent.event import Event as Signal

from app.live.extensions import socketio
from jobs.core.events import Event, read
from jobs.core.folder import JobFolder

NAMESPACE = "/jobs"
ALL = "*"
TYPES_IF_SHOWN = frozenset({"state", "progress", "snapshot", "scalars", "hardware"})
"""Of a job that a page of all jobs shows at the moment; of the others it is told the states."""
UNDER_WAY = 8
"""Messages that may wait for a client to take them in."""
AT_ONCE = 500
"""Events of a log in one message."""
INTERVAL = 0.05

Find = Callable[[str], JobFolder]


class Listeners:
    """The clients of `/jobs` by their sid; `folder(job)` has the log of a job."""

    def __init__(self, folder: Find) -> None:
        self._folder = folder
        self._told: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By job and client: the number of the last event that the client was sent."""
        self._shown: dict[str, frozenset[str]] = {}
        """By client of all jobs: those that its page shows."""
        self._late: set[tuple[str, str]] = set()
        """(client, job) of those that get their next events out of the log."""
        self._someone_is_late = Signal()

    def add(self, client: str, job: str, since: int) -> None:
        """Tell a client all of a job after an event, and what happens from now on."""
        self._told[job][client] = since
        self._late.add((client, job))
        self._catch_up(client, job)
        self._someone_is_late.set()

    def add_to_all(self, client: str, shown: frozenset[str]) -> None:
        """Tell a client the states of all jobs from now on, and what happens to those that it shows."""
        self._told[ALL][client] = 0
        self._shown[client] = shown

    def remove(self, client: str, job: str) -> None:
        self._told[job].pop(client, None)
        if job == ALL:
            self._shown.pop(client, None)
        self._late.discard((client, job))
        if not self._told[job]:
            del self._told[job]

    def forget(self, client: str) -> None:
        for job in [job for job, told in self._told.items() if client in told]:
            self.remove(client, job)

    def clients(self) -> int:
        return len({client for told in self._told.values() for client in told})

    def late(self) -> int:
        return len({client for client, _ in self._late})

    def send(self, job: str, events: list[Event]) -> None:
        """Pass on new events of a job, which stand in its log."""
        self._send_new(job, events)
        self._send_to_all(job, events)

    def _send_new(self, job: str, events: list[Event]) -> None:
        told, last, in_time = self._told.get(job, {}), int(events[-1]["seq"]), list[str]()
        for client, seq in told.items():
            if (client, job) in self._late or seq >= last:
                continue  # It is told out of the log, or was.
            if seq == events[0]["seq"] - 1 and _takes_in(client):
                in_time.append(client)
            else:
                self._late.add((client, job))
                self._someone_is_late.set()
        told.update(dict.fromkeys(in_time, last))
        _emit({"job": job, "events": events}, in_time)

    def _send_to_all(self, job: str, events: list[Event]) -> None:
        """A page that shows all jobs asks anew after it has missed something: what was is no use to it."""
        those_that_show = [client for client, shown in self._shown.items() if job in shown]
        others = [client for client in self._shown if client not in those_that_show]
        for clients, types in ((those_that_show, TYPES_IF_SHOWN), (others, {"state"})):
            some = [event for event in events if event["type"] in types]
            if not some or not clients:
                continue
            in_time = [
                client
                for client in clients
                if (client, ALL) not in self._late and _takes_in(client)
            ]
            _emit({"job": job, "events": some}, in_time)
            self._late |= {(client, ALL) for client in clients if client not in in_time}
            if len(in_time) < len(clients):
                self._someone_is_late.set()

    def send_gone(self, job: str, why: str) -> None:
        """Tell those who watch a job that there is none any more."""
        clients = list(self._told.pop(job, {}))
        self._late -= {(client, job) for client in clients}
        _emit({"job": job, "events": [], "error": why}, clients)
        self.send_changed()

    def send_changed(self) -> None:
        """Tell pages of all jobs that something is not in their lists, or not as they show it: they ask anew."""
        self._late |= {(client, ALL) for client in self._shown}
        self._someone_is_late.set()

    def run(self) -> None:
        """Bring those who are late up to date, a part of the log at a time, as fast as they take it in."""
        while True:
            self._someone_is_late.wait()
            for client, job in list(self._late):
                self._catch_up(client, job)
            if not self._late:
                self._someone_is_late.clear()
            gevent.sleep(INTERVAL)

    def _catch_up(self, client: str, job: str) -> None:
        if (client, job) not in self._late or _waiting(client):
            return
        if job == ALL:
            self._late.discard((client, job))
            _emit({"job": ALL, "events": [], "missed": True}, [client])
            return
        events = list(islice(read(self._folder(job).events, self._told[job][client]), AT_ONCE))
        if events:
            self._told[job][client] = events[-1]["seq"]
            _emit({"job": job, "events": events}, [client])
        if len(events) < AT_ONCE:
            self._late.discard((client, job))


def _takes_in(client: str) -> bool:
    return _waiting(client) < UNDER_WAY


def _waiting(client: str) -> int:
    """Messages that the client's connection has not taken yet."""
    server: Any = socketio.server
    connection = server.eio.sockets.get(server.manager.eio_sid_from_sid(client, NAMESPACE))
    return connection.queue.qsize() if connection is not None else 0


def _emit(message: dict[str, Any], clients: list[str]) -> None:
    if clients:  # To nobody would be to everybody.
        socketio.emit("events", message, to=clients, namespace=NAMESPACE)
