"""Start workers in milliseconds: `python -m jobs.fork_server SOCKET MINUTES`.

Importing torch takes seconds. This process does it once. Then it forks a copy of itself for each
request of jobs/core/processes.py, and the copy runs the worker:

    client ── module, arguments, environment, descriptors ──> fork server
           <── pid, pidfd ── the forked worker
           <── exit status ── fork server

A fork is safe because this process has a single thread by then: it computes nothing, and touches
neither CUDA nor NVML. The workers do not depend on it and go on when it ends. It ends when its
standard input closes, so it does not outlive the server that started it, or after MINUTES without
a worker (0: never).
"""

import ctypes
import fcntl
import gc
import importlib
import os
import select
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.core.launcher import JOB
from jobs.core.paths import ROOT
from jobs.core.processes import receive, run_to_end, send

MODULES: tuple[str, ...] = (
    "jobs.datasets.make",
    "jobs.datasets.probe",
    "jobs.datasets.pair_processes",
    "jobs.inference.image",
    "jobs.inference.many",
    "jobs.inference.video",
    "jobs.networks.channel",
    "jobs.networks.export",
    "jobs.run",
    "jobs.training.train",
    "jobs.warm",
)
"""What workers import."""

NICENESS = 10
"""Loading leaves the processors to others."""

SECONDS_FOR_REQUEST = 5.0
SECONDS_TO_LEAVE = 5.0


@dataclass(frozen=True)
class Task:
    """What a forked process has to do. `descriptors`: its own, by the numbers that they get."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    descriptors: dict[int, int]


@dataclass(frozen=True)
class Worker:
    """A forked process, and the connection that waits for its exit status."""

    pid: int
    connection: socket.socket


def main(path: str, minutes: str) -> None:
    load()
    task = serve(path, 60 * float(minutes))
    if task is None:
        os._exit(0)  # The libraries have nothing to save, and much to free.
    run(task)


def run(task: Task) -> None:
    """Run the task in this forked process."""
    become(task)
    run_to_end(importlib.import_module(task.module).main, task.arguments)


def load() -> None:
    """Import all modules, in a thread of low priority: on Linux each thread has its own.

    Functions that run later import numpy and torch again, which only looks them up.
    """

    def load_modules() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        import numpy
        import torch

        for module in MODULES:
            importlib.import_module(module)
        # The first call loads what Numba has compiled, or compiles it, which takes seconds.
        picture = numpy.zeros((16, 16, 3), numpy.uint8)
        importlib.import_module("jobs.media.quality").ssim(picture, picture)
        # The first optimizer imports as much again (torch._dynamo, sympy).
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])

    gc.disable()  # Nothing of what is loaded goes.
    loading = threading.Thread(target=load_modules)
    loading.start()
    loading.join()
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    while len(os.listdir("/proc/self/task")) > 1:  # The system ends a thread after `join`.
        if time.monotonic() > deadline:
            sys.exit("Workers cannot be forked: a library has started a thread.")
        time.sleep(0.001)
    # The garbage collector writes to all objects that it visits, which would copy their memory.
    gc.collect()
    gc.freeze()
    gc.enable()


def serve(path: str, idle_seconds: float) -> Task | None:
    """Fork a process for each request, and return its task in the forked process.

    Returns None when this process has to end. The socket accepts requests when this is ready.
    """
    workers: dict[int, Worker] = {}
    """By pidfd."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    waiting = select.poll()
    waiting.register(0, 0)  # Reports only that the other end was closed.
    waiting.register(listener, select.POLLIN)
    while True:
        ready = waiting.poll(1000 * idle_seconds if idle_seconds and not workers else None)
        descriptors = {descriptor for descriptor, _ in ready}
        if not descriptors or 0 in descriptors:
            with suppress(OSError):
                os.unlink(path)
                os.rmdir(os.path.dirname(path))
            return None
        for pidfd in descriptors & workers.keys():
            waiting.unregister(pidfd)
            report_end(workers.pop(pidfd))
            os.close(pidfd)
        if listener.fileno() not in descriptors:
            continue
        connection, _ = listener.accept()
        forked = fork(connection)
        if isinstance(forked, Task):
            listener.close()
            for pidfd, worker in workers.items():
                os.close(pidfd)
                worker.connection.close()
            return forked
        if forked is not None:
            pidfd = os.pidfd_open(forked.pid)
            workers[pidfd] = forked
            waiting.register(pidfd, select.POLLIN)


def fork(connection: socket.socket) -> Worker | Task | None:
    """Fork a process for a client. Returns the Worker, or in the forked process its Task.

    Returns None if the client has gone, or the system has no room for a process. The client
    notices by the closed connection.
    """
    received: list[int] = []
    try:
        connection.settimeout(SECONDS_FOR_REQUEST)
        request = receive(connection, received)
        pid = None if request is None else os.fork()
    except OSError:
        request = pid = None
    if pid == 0 and request is not None:
        numbers = dict(zip(request["descriptors"], received, strict=True))
        task = Task(request["module"], request["arguments"], request["environment"], numbers)
        os.setsid()
        show(task)
        import torch

        if torch.cuda._is_in_bad_fork():  # A library has asked for GPUs: this process has none.
            os._exit(1)
        try:
            send(connection, {"pid": os.getpid()}, [pidfd := os.pidfd_open(os.getpid())])
        except OSError:
            os._exit(1)  # The client starts the process in another way.
        os.close(pidfd)
        connection.close()
        return task
    for descriptor in received:
        os.close(descriptor)
    if pid is None:
        connection.close()
        return None
    return Worker(pid, connection)


def report_end(worker: Worker) -> None:
    """Send the exit status of a process that has ended to its client, if the client waits."""
    status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
    with worker.connection, suppress(OSError):
        send(worker.connection, {"status": status})


def become(task: Task) -> None:
    """Give this process all that a new process would have for its task."""
    import numpy
    import torch

    place(task.descriptors)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(task.environment)
    time.tzset()
    sys.argv = [task.module, *task.arguments]
    tempfile.tempdir = None
    # Otherwise all forked processes draw the same numbers. Python itself seeds `random`.
    numpy.random.seed()
    torch.default_generator.seed()


def place(descriptors: dict[int, int]) -> None:
    """Give the descriptors their numbers and close all others."""
    above = max(256, *descriptors, *descriptors.values()) + 1
    copies = {
        number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, above)
        for number, descriptor in descriptors.items()
    }
    os.closerange(3, above)
    for number, copy in copies.items():
        os.dup2(copy, number)
        os.close(copy)


def show(task: Task) -> None:
    """Show the command and the job of this process in /proc, where they are those of the parent.

    `ps` lists the command; `kill_leftovers` (jobs/core/launcher.py) looks for the job. Both are
    written over the parent's in memory: proc(5) has the addresses in fields 48 to 51 of `stat`.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    command_start, command_end, environment_start, environment_end = map(int, fields[45:49])
    command = [sys.executable, "-m", task.module, *task.arguments]
    overwrite(command_start, command_end, "".join(f"{word}\0" for word in command))
    job = task.environment.get(JOB, "")
    overwrite(environment_start, environment_end, f"{JOB}={job}\0")


def overwrite(start: int, end: int, text: str) -> None:
    room = end - start
    ctypes.memmove(start, os.fsencode(text)[: room - 1].ljust(room, b"\0"), room)


if __name__ == "__main__":
    main(*sys.argv[1:])
