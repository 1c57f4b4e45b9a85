"""Start and stop the worker process of a job. Light: the server imports it."""

import os
import signal
import time
from contextlib import suppress

import psutil

from jobs.core import processes
from jobs.core.folder import JobFolder
from jobs.core.processes import Process

LOCK_VARIABLE = "CLEARFRAME_LOCK"
JOB = "CLEARFRAME_JOB"
"""Has the job's folder, in the environment of its worker and of all processes the worker starts."""
USER_CODE = "CLEARFRAME_USER_CODE"
"""Set if Python files of users may run."""
GPUS = "CLEARFRAME_GPUS"
"""Lists the GPUs that the server assigned to a training, by the server's numbers, for the log."""
_started: list[Process] = []


def start(folder: JobFolder, env: dict[str, str] | None = None) -> int | None:
    """Start the job's worker in a new session, so that it outlives the caller. Return its pid.

    Return None if a worker already runs. The worker inherits the lock of its folder, so it never
    runs without the lock.
    """
    lock = folder.lock()
    if lock is None:
        return None
    os.ftruncate(lock, 0)  # The pid of an earlier worker may have been reused.
    try:
        with folder.worker_log.open("ab") as log:
            worker = processes.start(
                "jobs.run",
                [str(folder.path)],
                {
                    **(env or {}),
                    LOCK_VARIABLE: str(lock),
                    JOB: str(folder.path),
                    "PYTHONUNBUFFERED": "1",
                },
                stdout=log.fileno(),
                stderr=log.fileno(),
                pass_fds=(lock,),
            )
    finally:
        os.close(lock)
    # poll() reaps the processes that have ended, so that none stays a zombie.
    _started[:] = [running for running in _started if running.poll() is None] + [worker]
    return worker.pid


def stop(folder: JobFolder, grace: float = 5.0) -> None:
    """Send SIGTERM to the worker; after `grace` seconds, kill its process group (SIGKILL).

    Also kills all other processes that the worker started.
    """
    deadline = time.monotonic() + grace
    terminated = False
    while folder.worker_lives():
        pid = folder.worker_pid()
        if pid is not None and not terminated:
            _signal(pid, signal.SIGTERM)
            terminated = True
        elif pid is not None and time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    kill_leftovers(folder)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # The group may have just ended.
        os.killpg(group, number)


def kill_leftovers(folder: JobFolder) -> None:
    """Kill the processes that an ended worker left behind, in any process group.

    They have the job's folder in their environment.
    """
    lock = folder.lock()
    if lock is None:
        return  # A new worker already runs.
    with open(lock, "rb"):
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # It has ended, or belongs to another user.
                if process.environ().get(JOB) == str(folder.path):
                    process.kill()
