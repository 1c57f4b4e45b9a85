"""A real server in its own process, and a client for its JSON API."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from tests.support.server_parent import ServerProcess, server_parent
from tests.support.waiting import pause

T = TypeVar("T")

ANSWER_LIMIT = 120.0
"""Seconds that a request may take, also on a busy machine."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = cycle(range(20_000 + 1_000 * (_worker % 12), 21_000 + 1_000 * (_worker % 12)))
"""Below those that the kernel gives, and others for each process of a test run: between the choice
of a port and the start of its server, no other test takes it."""
for _ in range(os.getpid() % 1_000):  # Another test run may use the same ports.
    next(_ports)


def free_port() -> int:
    for port in islice(_ports, 1_000):
        with suppress(OSError), socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Server:
    forked = False
    """Whether servers are forked from one that has imported everything: tests do (conftest.py)."""

    def __init__(self, home: Path, roots: list[Path], port: int) -> None:
        self.home, self.roots, self.port = home, roots, port
        self.url = f"http://127.0.0.1:{port}"
        self.options: list[str] = []
        self.before_start: Callable[[], None] | None = None
        """Called in the server's process before the server begins."""
        self.took = 0.0

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._end_workers()

    def start(self, seconds: float = 60) -> float:
        """Start the server; return the seconds until it responds, which `took` also has."""
        started = time.monotonic()
        roots = [f"--data-root={root}" for root in self.roots]
        options = [f"--port={self.port}", f"--home={self.home}", *roots, *self.options]
        self.process = self._start(options, self.home.parent / "server.log")
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=ANSWER_LIMIT):
                    self.took = time.monotonic() - started
                    return self.took
            except urllib.error.URLError:
                assert self.process.poll() is None, "the server did not start"
                assert time.monotonic() - started < seconds, "the server does not answer"
                time.sleep(0.02)

    def _start(self, options: list[str], log: Path) -> "subprocess.Popen[bytes] | ServerProcess":
        if self.forked and self.before_start is None:
            return server_parent().start(options, log)
        command = [sys.executable, str(ROOT / "run_server.py"), *options]
        with log.open("ab") as output:
            return subprocess.Popen(
                command, stdout=output, stderr=output, preexec_fn=self.before_start
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def suspend(self, id: str) -> None:
        """Stop the worker of a running job, which takes processor time from the test otherwise."""
        os.killpg(self._worker(id), signal.SIGSTOP)

    def resume(self, id: str) -> None:
        """Let a suspended worker go on."""
        os.killpg(self._worker(id), signal.SIGCONT)

    def _worker(self, id: str) -> int:
        pid = JobFolder(self.home / "jobs" / id).worker_pid()
        assert pid is not None, f"{id} has no worker"
        return pid

    def _end_workers(self) -> None:
        for lock in self.home.glob("jobs/*/worker.lock"):
            pid = JobFolder(lock.parent).worker_pid()
            if pid is not None:
                os.killpg(pid, signal.SIGKILL)

    def call(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Send a request; return the status and JSON of the response."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_LIMIT) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def create(self, path: str, body: Any) -> str:
        status, response = self.call(path, body)
        assert status == 201, response
        return str(response["id"])

    def job(self, id: str) -> dict[str, Any]:
        status, job = self.call(f"/jobs/{id}")
        assert status == 200, job
        assert isinstance(job, dict)
        return job

    def restart(self) -> None:
        """Kill and start it. At its start it adds the jobs whose folders were put into its home."""
        self.kill()
        self.start()

    def wait(self, id: str, *states: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the job is in one of the states; return it."""
        began = time.monotonic()
        while (job := self.job(id))["state"] not in states:
            assert job["state"] not in ("error", "aborted"), job["reason"]
            assert time.monotonic() - began < seconds, f"still {job['state']}"
            pause(began)
        return job

    def wait_for(
        self, id: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 120
    ) -> dict[str, Any]:
        """Wait until the condition holds; return the job."""
        began = time.monotonic()
        while not condition(job := self.job(id)):
            assert job["state"] != "error", job["reason"]
            assert time.monotonic() - began < seconds, job
            pause(began)
        return job

    def wait_for_end(self, id: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the job is done, failed or aborted; return it."""
        began = time.monotonic()
        while (job := self.job(id))["state"] not in ("done", "error", "aborted"):
            assert time.monotonic() - began < seconds, f"still {job['state']}"
            pause(began)
        return job

    def wait_for_events(self, id: str, kind: str, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait for the first event of a type; return all of that type."""
        began = time.monotonic()
        while not (events := self.call(f"/jobs/{id}/events?type={kind}")[1]["events"]):
            assert time.monotonic() - began < seconds, f"no {kind} event"
            pause(began)
        return list(events)

    def page(self, path: str) -> str:
        """The HTML of a page."""
        with urllib.request.urlopen(self.url + path, timeout=ANSWER_LIMIT) as response:
            text: str = response.read().decode()
        return text

    def dataset(self, clip: tuple[Path, Path], **fields: Any) -> str:
        source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
        return self.create("/datasets", {"name": "clip", "source": source, **fields})


def _append(answers: list[T], request: Callable[[], T]) -> None:
    answers.append(request())


def answered_during(server: Server, request: Callable[[], T], tries: int = 50) -> T:
    """The answer to a request, while which the server answered at least two others.

    A busy machine may let none through: the request is sent again, as often as `tries`. A server
    that does nothing else until its answer has been sent answers at most one of them.
    """
    for _ in range(tries):
        answers: list[T] = []
        thread = threading.Thread(target=_append, args=(answers, request))
        thread.start()
        answered, began = 0, time.monotonic()
        while thread.is_alive():
            assert time.monotonic() - began < ANSWER_LIMIT, "the request has no answer"
            server.page("/healthz")
            answered += thread.is_alive()
        if answered >= 2:
            return answers[0]
    raise AssertionError("the server answered no other request")
