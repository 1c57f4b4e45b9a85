"""Socket.IO clients of one job, some of them slow: a process of benchmarks/live.py.

python benchmarks/live_clients.py PORT JOB CLIENTS SLOW

Prints "ready" when all are connected. After a line "until SEQ" on its input, it waits until every
client has that event, and prints a JSON object: {clients, events, wrong, delays_ms: {median, p99,
worst} of the fast clients, slow_behind: the most events that a slow client was behind}.
"""

from gevent import monkey

monkey.patch_all()

import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event

from benchmarks.listener import Listener

PAUSED, READING = 4.0, 1.0
"""Seconds that a slow client does not read, and reads."""
LIMIT = 120.0
"""Seconds for all clients to get the last event."""


@dataclass
class Clients:
    """What all clients have received so far."""

    port: int
    job: str
    seqs: dict[int, int] = field(default_factory=dict)
    """By client: the number of its last event."""
    delays: list[float] = field(default_factory=list)
    wrong: int = 0
    slow_behind: int = 0
    ending: Event = field(default_factory=Event)
    """Set when slow clients no longer pause."""

    def listen(self, client: int, is_slow: bool) -> None:
        listener = Listener(self.port)
        listener.watch(self.job)
        pause_at = time.monotonic() + READING + random.random() * PAUSED
        for message in listener.messages():
            self.wrong += "error" in message
            now = time.time()
            for event in message["events"]:
                self.wrong += event["seq"] != self.seqs.get(client, 0) + 1
                self.seqs[client] = event["seq"]
                if not is_slow and event["type"] == "scalars":
                    self.delays.append(1000 * (now - event["time"]))
            if is_slow:
                behind = max(self.seqs.values()) - self.seqs[client]
                self.slow_behind = max(self.slow_behind, behind)
                if time.monotonic() > pause_at:
                    self.ending.wait(PAUSED)
                    pause_at = time.monotonic() + READING

    def received(self, last: int) -> dict[str, Any]:
        """Wait until every client has event `last`."""
        self.ending.set()
        with gevent.Timeout(LIMIT):
            while any(seq < last for seq in self.seqs.values()):
                gevent.sleep(0.05)
        delays = sorted(self.delays)
        quantiles = {"median": 0.5, "p99": 0.99, "worst": 1.0}
        return {
            "clients": len(self.seqs),
            "events": last,
            "wrong": self.wrong,
            "delays_ms": {
                name: round(delays[int(share * (len(delays) - 1))], 1)
                for name, share in quantiles.items()
            }
            if delays
            else None,
            "slow_behind": self.slow_behind,
        }


def main(port: int, job: str, count: int, slow: int) -> None:
    clients = Clients(port, job)
    for client in range(count):
        gevent.spawn(clients.listen, client, client < slow)
    with gevent.Timeout(LIMIT):
        while len(clients.seqs) < count:
            gevent.sleep(0.05)
    print("ready", flush=True)
    line = gevent.get_hub().threadpool.apply(sys.stdin.readline)
    print(json.dumps(clients.received(int(line.split()[1]))), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
