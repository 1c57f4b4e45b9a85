"""A warm worker: `python -m jobs.warm SOCKET` runs tests with torch and the model already loaded.

Messages are JSON, one per line. The server sends

- {"job": folder} together with the descriptor that holds the folder's lock, so that the job has a
  worker from the moment of the handover;
- {"number": n, "folder": …, "layer": n, "channel": c}: a question about a test.

This process sends

- {"logged": job} for each event that it has written;
- {"done": job} after a job;
- {"answer": n, …} or {"answer": n, "error": why} to question n.

The process ends when the server closes the socket or has ended. It finishes its current work first.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import jobs.inference.image  # noqa: F401  Loads torch before the first job.
from jobs.core import limits
from jobs.core.errors import JobError
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.core.processes import run_to_end
from jobs.run import run_with_lock
from jobs.specs import ImageTest

Message = dict[str, Any]

BLOCK = 64 * 1024
MAX_LOCKS = 16
"""Descriptors received in one read."""


def main(descriptor: str) -> int:
    limits.limit_memory(computes=True)
    with socket.socket(fileno=int(descriptor)) as server:
        server.setblocking(True)  # The server (gevent) makes all its sockets non-blocking.
        for message, lock in receive(server):
            if lock is not None:
                work(server, JobFolder(Path(message["job"])), lock)
            else:
                send(server, {"answer": message["number"], **answer(message)})
    return 0


def receive(server: socket.socket) -> Iterator[tuple[Message, int | None]]:
    """The messages, each with the lock that came with it, until the server closes the socket."""
    text, locks = b"", list[int]()
    while True:
        data, descriptors, _, _ = socket.recv_fds(server, BLOCK, MAX_LOCKS)
        if not data:
            return
        locks += descriptors
        *lines, text = (text + data).split(b"\n")
        for line in lines:
            message: Message = json.loads(line)
            yield message, locks.pop(0) if "job" in message else None


def work(server: socket.socket, folder: JobFolder, lock: int) -> None:
    """Run a job like jobs/run.py. Output printed by the job goes into its worker.log."""
    with folder.worker_log.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        with EventLog(folder.events) as log:
            # Notifies the server of new events, which saves it from polling.
            log.listeners.append(lambda _: send(server, {"logged": folder.id}))
            run_with_lock(folder, lock, log)
    finally:
        torch.cuda.empty_cache()  # Between jobs, others can use the GPU's memory.
        # Between jobs, SIGTERM ends this process.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    send(server, {"done": folder.id})


def answer(question: Message) -> Message:
    """The activations of one channel of a layer of a test."""
    from jobs.networks.channel import show_channel

    folder = JobFolder(Path(question["folder"]))
    try:
        spec = folder.spec()
        assert isinstance(spec, ImageTest)
        return show_channel(folder, spec, question["layer"], question["channel"])
    except JobError as error:
        return {"error": str(error)}
    except torch.OutOfMemoryError:
        return {
            "error": "The GPU's memory is full: other jobs use it. Try again when they have ended."
        }
    finally:
        torch.cuda.empty_cache()


def send(server: socket.socket, message: Message) -> None:
    """Send a message. Ignore a server that has ended: the next server reads the log."""
    try:
        server.sendall(json.dumps(message).encode() + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    run_to_end(main, sys.argv[1:])
