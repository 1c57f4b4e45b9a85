"""Tests of one image that are caught at work, because their worker waits."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from jobs.core.folder import JobFolder
from tests.support.server import Server
from tests.support.waiting import wait_until


def idle_worker(server: Server, test: str) -> int:
    """The pid of the worker that ran a finished test, once it waits for the next one."""
    folder = JobFolder(server.home / "jobs" / test)
    worker = int((folder.path / "worker.lock").read_text())
    wait_until(lambda: not folder.worker_lives(), "the test keeps its worker")
    wait_until(
        lambda: psutil.Process(worker).status() == psutil.STATUS_SLEEPING, "the worker is not idle"
    )
    return worker


def hold_at_work(server: Server, worker: int, image: Path, create: Callable[[], str]) -> str:
    """Let an idle worker wait for `image`, in the test of it that `create` creates; return its id.

    The image becomes a named pipe that nobody writes, but only once the server has checked it.
    """
    os.kill(worker, signal.SIGSTOP)
    id = create()
    wait_until(JobFolder(server.home / "jobs" / id).worker_lives, "the test has no worker")
    image.unlink()
    os.mkfifo(image)
    os.kill(worker, signal.SIGCONT)
    server.wait(id, "running")
    return id
