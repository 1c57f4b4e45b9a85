"""A worker that stays: `python -m jobs.warm SOCKET` does one test after another, so that torch and the model are there.

Messages are JSON, one a line. The server sends {"job": folder} together with the descriptor that holds the folder's lock, so
that the job has a worker from the moment it is handed over; or a question about a test, {"number": n, "folder": …, "layer": n,
"channel": c}. This process sends {"told": job} for each event that it has written, {"done": job}, and {"answer": n, …} or
{"answer": n, "error": why}. It ends when the server closes the socket, or has ended: what it is at is finished first.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs.inference.image  # noqa: F401  torch is to be there before the first job is.
from jobs.core import limits
from jobs.core.errors import JobError
from jobs.core.events import Event, EventLog
from jobs.core.folder import JobFolder
from jobs.run import hold
from jobs.specs import ImageTest

Message = dict[str, Any]

BLOCK = 64 * 1024
MOST_LOCKS = 16
"""Descriptors that come with one piece of what is received."""


def main(descriptor: int) -> int:
    limits.hold_memory(computes=True)
    with socket.socket(fileno=descriptor) as server:
        server.setblocking(True)  # It comes from a server in which no socket blocks.
        for message, lock in received(server):
            if lock is not None:
                work(server, JobFolder(Path(message["job"])), lock)
            else:
                send(server, {"answer": message["number"], **answer(message)})
    return 0


def received(server: socket.socket) -> Iterator[tuple[Message, int | None]]:
    """The messages with the locks that came along, until the server is gone."""
    text, locks = b"", list[int]()
    while True:
        data, came, _, _ = socket.recv_fds(server, BLOCK, MOST_LOCKS)
        if not data:
            return
        locks += came
        *lines, text = (text + data).split(b"\n")
        for line in lines:
            message: Message = json.loads(line)
            yield message, locks.pop(0) if "job" in message else None


def work(server: socket.socket, folder: JobFolder, lock: int) -> None:
    """Do a job, as jobs/run.py does; what is printed meanwhile goes into its log."""
    with folder.worker_log.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        with TellingLog(folder, server) as log_of_events:
            hold(folder, lock, log_of_events)
    finally:
        # Between two jobs nobody is asked to stop one.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    send(server, {"done": folder.id})


class TellingLog(EventLog):
    """Says that there is something new, so that the server need not find out by itself."""

    def __init__(self, folder: JobFolder, server: socket.socket) -> None:
        super().__init__(folder.events)
        self._job, self._server = folder.id, server

    def append(self, type: str, **fields: Any) -> Event:
        event = super().append(type, **fields)
        send(self._server, {"told": self._job})
        return event


def answer(question: Message) -> Message:
    """What a channel of a layer of a test did."""
    from jobs.networks.channel import show_channel

    folder = JobFolder(Path(question["folder"]))
    try:
        spec = folder.spec()
        assert isinstance(spec, ImageTest)
        return show_channel(folder, spec, question["layer"], question["channel"])
    except JobError as error:
        return {"error": str(error)}


def send(server: socket.socket, message: Message) -> None:
    """A server that is gone hears nothing; its successor reads the log."""
    try:
        server.sendall(json.dumps(message).encode() + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
