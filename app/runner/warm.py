"""Workers that stay: tests of one image go to a process that has torch and the model at hand (jobs/warm.py)."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import gevent
from gevent.event import AsyncResult

from jobs.core import launcher
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT

MOST = 2
"""Workers at a time, unless all of them are at work."""
IDLE_SECONDS = 300.0
ANSWER_SECONDS = 60.0
BLOCK = 64 * 1024
TRIES = 2
"""Workers that may end before they have begun with a job; then it fails."""


class WorkerLost(Exception):
    """A question that got no answer; the text says what to do."""


class Unanswerable(Exception):
    """What was asked for cannot be shown; the text says why."""


@dataclass
class _Job:
    """A test that was handed over. `lock` is held here as well until the worker has begun; `tries`: with how many workers."""

    folder: JobFolder
    lock: int | None
    tries: int = 1

    def let_go(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


@dataclass(eq=False)
class _Worker:
    """One process, for one model. `jobs`, by id, are not done yet; `questions` wait for an answer."""

    model: str
    socket: socket.socket
    process: subprocess.Popen[bytes]
    jobs: dict[str, _Job] = field(default_factory=dict)
    questions: dict[int, "AsyncResult[dict[str, Any]]"] = field(default_factory=dict)
    idle_since: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        return bool(self.jobs or self.questions)


class WarmWorkers:
    """`told(job)` is called when there is something new in a job's log, `free()` when a worker has time again."""

    def __init__(
        self,
        told: Callable[[str], object],
        free: Callable[[], object],
        user_code: bool = False,
        aborting: Collection[str] = (),
    ) -> None:
        """`aborting`: the jobs that somebody has asked to end; a worker that ends for it is not replaced."""
        self._told, self._free, self._user_code, self._aborting = told, free, user_code, aborting
        self._workers: list[_Worker] = []
        self._numbers = count(1)

    def start(self, folder: JobFolder, model: str) -> bool:
        """Hand a test over to a worker of its model; False if a worker has it already.

        The lock of its folder goes along, so that there is no moment at which the job has no worker."""
        lock = folder.lock()
        if lock is None:
            return False
        os.ftruncate(lock, 0)  # The pid of an earlier worker may be another process's by now.
        job = _Job(folder, lock)
        try:
            self._hand_over(job, model)
        except OSError:
            job.let_go()
            raise
        return True

    def _hand_over(self, job: _Job, model: str) -> None:
        assert job.lock is not None
        worker = self._worker(model)
        worker.jobs[job.folder.id] = job
        _send(worker, {"job": str(job.folder.path)}, [job.lock])

    def ask(self, model: str, question: dict[str, Any]) -> dict[str, Any]:
        """What a worker of the model answers. Raises WorkerLost, and Unanswerable."""
        worker, number = self._worker(model), next(self._numbers)
        answer: AsyncResult[dict[str, Any]] = AsyncResult()
        worker.questions[number] = answer
        _send(worker, {"number": number, **question})
        try:
            told: dict[str, Any] = answer.get(timeout=ANSWER_SECONDS)
        except gevent.Timeout as error:
            raise WorkerLost(
                f"There was no answer within {ANSWER_SECONDS:g} s. Try again in a moment."
            ) from error
        finally:
            worker.questions.pop(number, None)
        if "error" in told:
            raise Unanswerable(told["error"])
        return told

    def dismiss_idle(self) -> None:
        """Let go of those that nobody has needed for a while."""
        for worker in list(self._workers):
            if not worker.busy and time.monotonic() - worker.idle_since > IDLE_SECONDS:
                self._dismiss(worker)

    def _worker(self, model: str) -> _Worker:
        """One that has the model at hand, and time; else a new one, in place of the one that was idle for longest."""
        own = [worker for worker in self._workers if worker.model == model and not worker.busy]
        if own:
            return own[0]
        idle = sorted(
            (worker for worker in self._workers if not worker.busy),
            key=lambda worker: worker.idle_since,
        )
        for worker in idle[: max(0, len(self._workers) + 1 - MOST)]:
            self._dismiss(worker)
        return self._begin(model)

    def _begin(self, model: str) -> _Worker:
        ours, its = socket.socketpair()
        with its:
            allowed = {launcher.USER_CODE: "1"} if self._user_code else {}
            process = subprocess.Popen(
                [sys.executable, "-m", "jobs.warm", str(its.fileno())],
                env={**os.environ, **launcher.ALONE, **allowed, "PYTHONUNBUFFERED": "1"},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=(its.fileno(),),
                start_new_session=True,
            )
        worker = _Worker(model, ours, process)
        self._workers.append(worker)
        gevent.spawn(self._listen, worker)
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Hear what a worker says, until it has ended."""
        text = b""
        while data := _receive(worker.socket):
            *lines, text = (text + data).split(b"\n")
            for line in lines:
                self._hear(worker, json.loads(line))
        self._forget(worker)
        worker.process.wait()

    def _hear(self, worker: _Worker, message: dict[str, Any]) -> None:
        worker.idle_since = time.monotonic()
        if "told" in message:
            worker.jobs[message["told"]].let_go()
            self._told(message["told"])
        elif "done" in message:
            del worker.jobs[message["done"]]
            self._free()
        elif asked := worker.questions.get(message["answer"]):
            asked.set(message)

    def _dismiss(self, worker: _Worker) -> None:
        """It ends when it finds its socket closed."""
        self._workers.remove(worker)
        worker.socket.shutdown(socket.SHUT_RDWR)

    def _forget(self, worker: _Worker) -> None:
        worker.socket.close()
        if worker in self._workers:
            self._workers.remove(worker)
        for asked in worker.questions.values():
            asked.set_exception(
                WorkerLost(
                    "The worker ended before it had an answer. Try again: the next one starts anew."
                )
            )
        for id, job in worker.jobs.items():
            has_begun = job.lock is None  # Else nothing was done, and nothing is done twice.
            if not has_begun and job.tries < TRIES and id not in self._aborting:
                self._hand_over(_Job(job.folder, job.lock, job.tries + 1), worker.model)
            else:
                job.let_go()
                self._told(id)
        self._free()


def _send(worker: _Worker, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """A worker that has just ended hears nothing: its end of the socket says so to `_listen`, and the job's lock is free."""
    try:
        socket.send_fds(worker.socket, [json.dumps(message).encode() + b"\n"], descriptors or [])
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(ours: socket.socket) -> bytes:
    try:
        return ours.recv(BLOCK)
    except ConnectionResetError:
        return b""
