"""Warm workers (jobs/warm.py): processes that keep torch and a model loaded for image tests."""

import json
import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import gevent
from gevent.event import AsyncResult

from app.runner import gpus
from jobs.core import launcher, processes
from jobs.core.folder import JobFolder
from jobs.core.processes import Process

MAX_WORKERS = 2
"""Limit on idle and busy workers together. It is exceeded while all of them are busy."""
IDLE_SECONDS = 300.0
ANSWER_SECONDS = 60.0
BLOCK = 64 * 1024
TRIES = 2
"""Workers to try for a job, if each of them ends before it has begun; then the job fails."""


class WorkerLost(Exception):
    """A question got no answer; the message says what to do."""


class Unanswerable(Exception):
    """A question cannot be answered; the message says why."""


@dataclass
class _Job:
    """A test that a worker received.

    The server also keeps the `lock` open until the worker has begun. `tries` counts the workers.
    """

    folder: JobFolder
    lock: int | None
    tries: int = 1

    def release_lock(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


@dataclass(eq=False)
class _Worker:
    """A process for one model. `jobs`, by id, are not done; `questions` wait for an answer."""

    model: str
    gpu: str
    """The name of its GPU, "" for the CPU."""
    socket: socket.socket
    process: Process
    jobs: dict[str, _Job] = field(default_factory=dict)
    questions: dict[int, "AsyncResult[dict[str, Any]]"] = field(default_factory=dict)
    idle_since: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        return bool(self.jobs or self.questions)


class WarmWorkers:
    """The warm workers of a server.

    Callbacks: `on_event(job)` when a job's log has a new event, `on_idle()` when a worker has
    finished a job or has ended.
    """

    def __init__(
        self,
        on_event: Callable[[str], object],
        on_idle: Callable[[], object],
        user_code: bool = False,
        aborting: Collection[str] = (),
    ) -> None:
        """`aborting`: the ids of jobs that are being aborted; their workers are not replaced."""
        self._on_event, self._on_idle = on_event, on_idle
        self._user_code, self._aborting = user_code, aborting
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        """Workers that were dismissed and still have their memory."""
        self._numbers = count(1)

    def start(self, folder: JobFolder, model: str) -> bool:
        """Send a test to a worker of its model; return False if the test has a worker already.

        The worker also receives the lock of the folder, so the lock is held at every moment.
        """
        lock = folder.lock()
        if lock is None:
            return False
        os.ftruncate(lock, 0)  # It may hold the pid of an earlier worker, now reused.
        job = _Job(folder, lock)
        try:
            self._hand_over(job, model)
        except OSError:
            job.release_lock()
            raise
        return True

    def _hand_over(self, job: _Job, model: str) -> None:
        assert job.lock is not None
        worker = self._worker(model)
        worker.jobs[job.folder.id] = job
        _send(worker, {"job": str(job.folder.path)}, [job.lock])

    def ask(self, model: str, question: dict[str, Any]) -> dict[str, Any]:
        """Ask a worker of the model and return its answer. Raises WorkerLost, Unanswerable."""
        worker, number = self._worker(model), next(self._numbers)
        answer: AsyncResult[dict[str, Any]] = AsyncResult()
        worker.questions[number] = answer
        _send(worker, {"number": number, **question})
        try:
            reply: dict[str, Any] = answer.get(timeout=ANSWER_SECONDS)
        except gevent.Timeout as error:
            raise WorkerLost(
                f"The worker did not answer within {ANSWER_SECONDS:g} s. Try again in a moment."
            ) from error
        finally:
            worker.questions.pop(number, None)
        if "error" in reply:
            raise Unanswerable(reply["error"])
        return reply

    def dismiss_idle(self) -> None:
        """End the workers that have been idle for IDLE_SECONDS."""
        for worker in list(self._workers):
            if not worker.busy and time.monotonic() - worker.idle_since > IDLE_SECONDS:
                self._dismiss(worker)

    def dismiss_idle_on(self, names: Collection[str]) -> None:
        """End the idle workers on some GPUs, so that a training gets their memory."""
        for worker in list(self._workers):
            if not worker.busy and worker.gpu in names:
                self._dismiss(worker)

    def gpus(self) -> set[str]:
        """The names of the GPUs on which workers have memory."""
        return {worker.gpu for worker in (*self._workers, *self._leaving)}

    def _worker(self, model: str) -> _Worker:
        """An idle worker that has the model loaded, or a new worker.

        A new worker replaces the one that has been idle for longest.
        """
        ready = [worker for worker in self._workers if worker.model == model and not worker.busy]
        if ready:
            return ready[0]
        idle = sorted(
            (worker for worker in self._workers if not worker.busy),
            key=lambda worker: worker.idle_since,
        )
        for worker in idle[: max(0, len(self._workers) + 1 - MAX_WORKERS)]:
            self._dismiss(worker)
        return self._start_worker(model)

    def _start_worker(self, model: str) -> _Worker:
        gpu = gpus.roomiest()
        server_end, worker_end = socket.socketpair()
        with worker_end:
            allowed = {launcher.USER_CODE: "1"} if self._user_code else {}
            process = processes.start(
                "jobs.warm",
                [str(worker_end.fileno())],
                {**allowed, **gpus.environment_of_test(gpu), "PYTHONUNBUFFERED": "1"},
                pass_fds=[worker_end.fileno()],
            )
        worker = _Worker(model, gpu, server_end, process)
        self._workers.append(worker)
        gevent.spawn(self._listen, worker)
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Handle the messages of a worker until it ends."""
        text = b""
        while data := _receive(worker.socket):
            *lines, text = (text + data).split(b"\n")
            for line in lines:
                self._handle(worker, json.loads(line))
        self._remove(worker)
        worker.process.wait()
        if worker in self._leaving:
            self._leaving.remove(worker)

    def _handle(self, worker: _Worker, message: dict[str, Any]) -> None:
        worker.idle_since = time.monotonic()
        if "logged" in message:
            worker.jobs[message["logged"]].release_lock()
            self._on_event(message["logged"])
        elif "done" in message:
            del worker.jobs[message["done"]]
            self._on_idle()
        elif answer := worker.questions.get(message["answer"]):
            answer.set(message)

    def _dismiss(self, worker: _Worker) -> None:
        """Close the socket of a worker: the worker then ends."""
        self._workers.remove(worker)
        self._leaving.append(worker)
        # With SHUT_RDWR, gevent would raise an error in `_listen`, which waits for the end.
        worker.socket.shutdown(socket.SHUT_WR)

    def _remove(self, worker: _Worker) -> None:
        """Remove a worker that has ended; give its jobs that have not begun to another worker."""
        worker.socket.close()
        if worker in self._workers:
            self._workers.remove(worker)
        for answer in worker.questions.values():
            answer.set_exception(
                WorkerLost("The worker exited before it answered. Try again: a new worker starts.")
            )
        for id, job in worker.jobs.items():
            has_begun = job.lock is None  # A job that has not begun can safely start again.
            if not has_begun and job.tries < TRIES and id not in self._aborting:
                self._hand_over(_Job(job.folder, job.lock, job.tries + 1), worker.model)
            else:
                job.release_lock()
                self._on_event(id)
        self._on_idle()


def _send(worker: _Worker, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send a message. Ignore a worker that has just ended: `_listen` notices the closed socket."""
    try:
        socket.send_fds(worker.socket, [json.dumps(message).encode() + b"\n"], descriptors or [])
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(server_end: socket.socket) -> bytes:
    try:
        return server_end.recv(BLOCK)
    except ConnectionResetError:
        return b""
