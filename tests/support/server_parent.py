"""Start servers in a tenth of a second: import the server once, then fork for each start.

Run as a program, this is the parent: it reads a JSON line for each request on its standard input
and answers with a line: the pid of a new server, or the exit status of one that has ended. The
class ServerParent is the side of the tests. Benchmarks and users start `run_server.py`.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jobs.core.paths import ROOT
from tests.support.waiting import next_line

IMPORTED_LATE = (
    "engineio.async_drivers.gevent",
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    "jobs.core.pair_index",
    "markdown_it",
    "natsort",
    "numpy",
)
"""What a server imports while it starts, or for its first pages."""


class ServerProcess:
    """A server that was forked, as subprocess.Popen has it."""

    def __init__(self, parent: "ServerParent", pid: int) -> None:
        self.pid = pid
        self._parent, self._handle = parent, os.pidfd_open(pid)
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status. Raises subprocess.TimeoutExpired."""
        if self._status is None:
            waiting = select.poll()
            waiting.register(self._handle, select.POLLIN)
            if not waiting.poll(None if timeout is None else 1000 * timeout):
                raise subprocess.TimeoutExpired("run_server.py", timeout or 0)
            self._status = self._parent.ask({"ended": self.pid})
            os.close(self._handle)
        return self._status


class ServerParent:
    """The parent of all servers of this test run. It ends with the test run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.server_parent"],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # Threads make a fork unsafe.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._process.communicate)

    def start(self, arguments: list[str], log: Path) -> ServerProcess:
        """Start a server with its output added to `log`."""
        request = {
            "arguments": arguments,
            "folder": os.getcwd(),
            "log": str(log),
            "environment": dict(os.environ),
        }
        return ServerProcess(self, self.ask(request))

    def ask(self, request: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return int(next_line(self._process, self._process.stdout))


@cache
def server_parent() -> ServerParent:
    return ServerParent()


def main() -> None:
    """Answer requests until the end of the input."""
    from gevent import monkey

    monkey.patch_all()
    from commands import serve

    for name in IMPORTED_LATE:
        importlib.import_module(name)
    fork = monkey.get_original("os", "fork")  # gevent's own would start its event loop here.
    waitpid = monkey.get_original("os", "waitpid")
    gc.freeze()
    while line := _read_line():
        request = json.loads(line)
        if "ended" in request:
            _answer(os.waitstatus_to_exitcode(waitpid(request["ended"], 0)[1]))
        elif pid := fork():
            _answer(pid)
        else:
            _become_server(**request)
            serve.main(request["arguments"], prog_name="run_server.py")


def _read_line() -> str:
    """The next line of standard input, or "" after the last. No reader's buffer may hold more."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(0, 64 * 1024)
        if not data:
            return ""
        line += data
    return line.decode()


def _answer(number: int) -> None:
    os.write(1, f"{number}\n".encode())


def _become_server(
    arguments: list[str], folder: str, log: str, environment: dict[str, str]
) -> None:
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, number)
    os.close(nothing)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["run_server.py", *arguments]


if __name__ == "__main__":
    main()
