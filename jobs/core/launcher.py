"""Starting and stopping the process of a job. Light: the server imports it."""

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
"""The job's folder: in the environment of its worker, and of all that this starts."""
USER_CODE = "CLEARFRAME_USER_CODE"
"""Set where Python files of users may run."""
GPUS = "CLEARFRAME_GPUS"
"""Names the GPUs that the server gave to a training, as it counts them: for the log."""
ALONE = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
"""Several threads make pairs, each on its own: threads inside numpy's BLAS would only get in their way. And glibc
keeps the memory of one picture for the next: giving it back and asking anew takes longer than to fill it."""

_children: list[subprocess.Popen[bytes]] = []


def start(folder: JobFolder, env: dict[str, str] | None = None) -> int | None:
    """Start the job's worker in a session of its own; it outlives the caller. None if one lives already.

    The worker inherits the lock of its folder, so that there is no moment at which it runs without.
    """
    lock = folder.lock()
    if lock is None:
        return None
    os.ftruncate(lock, 0)  # The pid of an earlier worker may be another process's by now.
    try:
        with folder.worker_log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "jobs.run", str(folder.path)],
                env={
                    **os.environ,
                    **ALONE,
                    **(env or {}),
                    LOCK_VARIABLE: str(lock),
                    **_marked(folder),
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
    # Ended children are collected at the next start, so that none stays a zombie.
    _children[:] = [other for other in _children if other.poll() is None] + [child]
    return child.pid


def _marked(folder: JobFolder) -> dict[str, str]:
    return {JOB: str(folder.path), "PYTHONUNBUFFERED": "1"}


def stop(folder: JobFolder, grace: float = 5.0) -> None:
    """Ask the worker to end (SIGTERM); after `grace` seconds, kill its whole process group. Nothing that it started stays."""
    deadline = time.monotonic() + grace
    asked = False
    while folder.worker_lives():
        pid = folder.worker_pid()
        if pid is not None and not asked:
            _signal(pid, signal.SIGTERM)
            asked = True
        elif pid is not None and time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    end_rest(folder)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # It may have ended by itself meanwhile.
        os.killpg(group, number)


def end_rest(folder: JobFolder) -> None:
    """Kill what a worker that has ended has left behind, in whatever process group: it has the job's mark in its environment."""
    lock = folder.lock()
    if lock is None:
        return  # Another one lives already.
    with open(lock, "rb"):
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # It has ended, or is somebody else's.
                if process.environ().get(JOB) == str(folder.path):
                    process.kill()
