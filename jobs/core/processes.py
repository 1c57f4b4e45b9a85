"""Start a process that runs one of our modules: by a fork server, or else by a new interpreter.

A fork server (jobs/fork_server.py) has torch loaded, so its processes start in milliseconds. The
environment variable FORK_SERVER has the path of its socket. Without one, as while it loads and
where fork is not safe (macOS), `python -m MODULE` does the same in seconds.
"""

import atexit
import ctypes
import json
import math
import multiprocessing.util
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

from jobs.core.paths import ROOT

FORK_SERVER = "CLEARFRAME_FORK_SERVER"
PERFORMANCE = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
}
"""Performance settings of all workers. Several processes make pairs, so threads inside numpy's BLAS
would only compete with them. And glibc keeps freed memory for the next picture: returning it to
the kernel and requesting it again takes longer than filling it. Torch's threads sleep after a short
wait for each other: GNU's OpenMP lets them wait in a loop for milliseconds, on cores that others
need. On a busy machine, 100 training steps took 4.3 s instead of 62 s; on idle cores, as long."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, from glibc's malloc.h."""

GPU_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""CUDA then numbers GPUs as nvidia-smi and the server do, instead of the fastest first."""

LENGTH = struct.Struct("!I")
"""Precedes each message between a client and the fork server: its length in bytes."""

MAX_DESCRIPTORS = 32

SECONDS_TO_START = 20.0
"""After this time without a sign of the fork server, a new interpreter starts the process."""

CHECK_SECONDS = 0.25
"""Seconds between two checks whether the output of a process is still wanted."""

UNKNOWN_STATUS = 255
"""Stands for the exit status of a process whose fork server ended first."""


def perform_as_workers() -> None:
    """Let this process perform as PERFORMANCE lets workers. Call it before torch is imported.

    A command restores 720p 1.4 times as fast, where its C library is glibc.
    """
    os.environ["GOMP_SPINCOUNT"] = PERFORMANCE["GOMP_SPINCOUNT"]
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, int(PERFORMANCE["MALLOC_MMAP_THRESHOLD_"]))
        mallopt(M_TRIM_THRESHOLD, int(PERFORMANCE["MALLOC_TRIM_THRESHOLD_"]))


class Process(Protocol):
    """A process that was started, as subprocess.Popen has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status. Raises subprocess.TimeoutExpired."""

    def kill(self) -> None: ...


class ForkedProcess:
    """A process that the fork server started for this one.

    `connection` delivers the exit status. `handle` is a pidfd: it stays that of the process even
    if its pid is used again, and works without the fork server. Several threads may wait at once.
    """

    def __init__(self, pid: int, handle: int, connection: socket.socket) -> None:
        self.pid = pid
        self._handle, self._connection = handle, connection
        self._status: int | None = None
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            milliseconds = None if timeout is None else 1000 * timeout
            waiting = select.poll()
            waiting.register(self._handle, select.POLLIN)
            if not waiting.poll(milliseconds):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._read_status()
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def _read_status(self) -> None:
        with self._reading:
            if self._status is not None:
                return  # Another thread has read it.
            self._connection.setblocking(True)
            message = receive(self._connection)
            self._status = UNKNOWN_STATUS if message is None else int(message["status"])
            os.close(self._handle)
            self._connection.close()


def start(
    module: str,
    arguments: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Run `main(*arguments)` of a module in a new process, in a session of its own.

    `env` is added to the environment of the caller. `stdin`, `stdout` and `stderr` are open
    descriptors; the caller's own if None. The process has the descriptors `pass_fds` under the
    same numbers.
    """
    environment = {**os.environ, **PERFORMANCE, **GPU_ORDER, **(env or {})}
    with open(os.devnull, "rb") as nothing:
        input = nothing.fileno() if stdin == subprocess.DEVNULL else stdin
        output = 1 if stdout is None else stdout
        errors = 2 if stderr is None else stderr
        streams = {0: input, 1: output, 2: errors}
        descriptors = {**streams, **{number: number for number in pass_fds}}
        forked = _fork(module, arguments, environment, descriptors)
    return forked or subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        cwd=ROOT,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def run(
    module: str,
    arguments: Sequence[str] = (),
    input: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> "subprocess.CompletedProcess[str]":
    """Run a module to its end and return its output, as subprocess.run does.

    Raises subprocess.TimeoutExpired after `timeout` seconds, and what `check` raises, which is
    called again and again. The process is then killed.
    """
    # Files instead of pipes: neither side ever waits for the other to read.
    with _memory_file() as stdin, _memory_file() as stdout, _memory_file() as stderr:
        stdin.write(input.encode())
        stdin.seek(0)
        descriptors = stdin.fileno(), stdout.fileno(), stderr.fileno()
        process = start(module, arguments, env, *descriptors)
        try:
            status = _wait(process, timeout, check)
        except BaseException:
            process.kill()
            process.wait()
            raise
        for file in (stdout, stderr):
            file.seek(0)
        output, errors = (file.read().decode(errors="replace") for file in (stdout, stderr))
    return subprocess.CompletedProcess([module, *arguments], status, output, errors)


def _wait(process: Process, timeout: float | None, check: Callable[[], None]) -> int:
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        rest = min(deadline - time.monotonic(), CHECK_SECONDS)
        try:
            return process.wait(max(rest, 0))
        except subprocess.TimeoutExpired:
            if rest < CHECK_SECONDS:
                raise
        check()


def _memory_file() -> IO[bytes]:
    """A file that takes no room on a disk, which may be full; where there are none, on a disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("stream"), "w+b")
    return TemporaryFile()


def run_to_end(main: Callable[..., int | None], arguments: Sequence[str]) -> None:
    """Run a worker's main function in this process, which then ends.

    With it end its children by multiprocessing, which here only read for it.

    Python does not destroy the objects of all modules at last. That takes 0.3 s with torch loaded,
    and aborts the process if a thread of a library needs Python then: gloo's threads may, after a
    training by several ranks. Exit handlers that were registered before do not run either.
    """
    status = 1  # After an exception: Python prints its stack trace before the handler below runs.

    def leave() -> None:
        try:
            for child in multiprocessing.active_children():
                child.kill()  # Reading processes ignore SIGTERM.
            # Its folder for temporary files, which it would remove in a handler of its own.
            multiprocessing.util._run_finalizers()  # type: ignore[attr-defined]
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    atexit.register(leave)
    status = main(*arguments) or 0


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The last line of the errors that a process printed, at most 300 characters."""
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return lines[-1][:300]


def _fork(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Mapping[int, int],
) -> ForkedProcess | None:
    """Let the fork server start the process; None if there is no fork server.

    `descriptors`: those that the process gets, by the number that they have there.
    """
    path = environment.get(FORK_SERVER)
    if not path:
        return None
    request = {
        "module": module,
        "arguments": list(arguments),
        "environment": environment,
        "descriptors": list(descriptors),
    }
    connection = socket.socket(socket.AF_UNIX)
    handles: list[int] = []
    try:
        connection.settimeout(SECONDS_TO_START)
        connection.connect(path)
        send(connection, request, list(descriptors.values()))
        started = receive(connection, handles)
    except (FileNotFoundError, ConnectionError, BlockingIOError):
        # It still loads, or has ended, or too many others wait for it.
        started = None
    except TimeoutError:
        # From now on the process cannot report its start, and ends if it cannot. It may just have.
        connection.shutdown(socket.SHUT_RDWR)
        started = receive(connection, handles)
    if started is None:
        connection.close()
        return None
    os.set_inheritable(handles[0], False)
    return ForkedProcess(started["pid"], handles[0], connection)


def send(
    connection: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()
) -> None:
    """Send a message with open descriptors."""
    data = json.dumps(message).encode()
    socket.send_fds(connection, [LENGTH.pack(len(data))], list(descriptors))
    connection.sendall(data)


def receive(
    connection: socket.socket, descriptors: list[int] | None = None
) -> dict[str, Any] | None:
    """The next message, or None after the last one. Its descriptors are added to the list."""
    head, received, _, _ = socket.recv_fds(
        connection, LENGTH.size, MAX_DESCRIPTORS, socket.MSG_WAITALL
    )
    if descriptors is not None:
        descriptors += received
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = b""
    while len(body) < length:
        data = connection.recv(length - len(body))
        if not data:
            return None
        body += data
    message: dict[str, Any] = json.loads(body)
    return message
