"""Tests of one image that are caught at work, because their worker waits."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from jobs.core.folder import JobFolder
from tests.support.server import Server
from tests.support.waiting import wait_until


def hold_at_work(server: Server, image: Path, create: Callable[[], str]) -> tuple[str, int]:
    """Let a warm worker wait for `image`, in the test of it that `create` creates.

    Return the test's id and the worker's pid. The image becomes a named pipe that nobody writes,
    but only once the server has checked it: workers stand still until then. One that has just
    finished a test may not be free yet. The new test then gets another, and is aborted.
    """
    picture = image.read_bytes()
    for _ in range(3):
        workers = warm_workers(server)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        id = create()
        folder = JobFolder(server.home / "jobs" / id)
        wait_until(folder.worker_lives, "the test has no worker")
        image.unlink()
        os.mkfifo(image)
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        server.wait(id, "running", "done")
        worker = int((folder.path / "worker.lock").read_text())
        if worker in workers:
            return id, worker
        server.call(f"/jobs/{id}/abort", method="POST")
        server.wait_for_end(id)
        image.unlink()
        image.write_bytes(picture)
    raise AssertionError("no test got a worker that stood still")


def warm_workers(server: Server) -> list[int]:
    """The pids of the workers that have run tests of the server, and live."""
    texts = {lock.read_text() for lock in server.home.glob("jobs/*/worker.lock")}
    return [int(text) for text in texts if text and _is_warm(int(text))]


def _is_warm(pid: int) -> bool:
    try:
        return "jobs.warm" in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
