"""Start and stop the worker process of a job. Light: the server imports it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT

LOCK_VARIABLE = "CLEARFRAME_LOCK"
JOB = "CLEARFRAME_JOB"
"""Has the job's folder, in the environment of its worker and of all processes the worker starts."""
USER_CODE = "CLEARFRAME_USER_CODE"
"""Set if Python files of users may run."""
GPUS = "CLEARFRAME_GPUS"
"""Lists the GPUs that the server assigned to a training, by the server's numbers, for the log."""
WORKER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
"""Performance settings of all workers. Several processes make pairs, so threads inside numpy's BLAS
would only compete with them. And glibc keeps freed memory for the next picture: returning it to
the kernel and requesting it again takes longer than filling it."""

_children: list[subprocess.Popen[bytes]] = []


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
            child = subprocess.Popen(
                [sys.executable, "-m", "jobs.run", str(folder.path)],
                env={
                    **os.environ,
                    **WORKER_ENVIRONMENT,
                    **(env or {}),
                    LOCK_VARIABLE: str(lock),
                    **_job_variables(folder),
                },
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )
    finally:
        os.close(lock)
    # poll() reaps the children that have ended, so that none stays a zombie.
    _children[:] = [running for running in _children if running.poll() is None] + [child]
    return child.pid


def _job_variables(folder: JobFolder) -> dict[str, str]:
    return {JOB: str(folder.path), "PYTHONUNBUFFERED": "1"}


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
