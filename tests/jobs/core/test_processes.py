"""Tests of the end of a worker's process."""

import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing.synchronize import Event
from pathlib import Path

from jobs.core.paths import ROOT
from tests.support.waiting import has_ended, wait_until

WORKER = """
import multiprocessing, os, sys
from tests.jobs.core import test_processes
from jobs.core.processes import run_to_end

def main():
    ready = multiprocessing.get_context("forkserver").Event()
    child = multiprocessing.get_context("forkserver").Process(
        target=test_processes.ignore_sigterm, args=[ready], daemon=True
    )
    child.start()
    ready.wait()
    print(child.pid, flush=True)
    sys.kept = child
    raise ValueError("as it happens")

if __name__ == "__main__":
    run_to_end(main, [])
"""


def ignore_sigterm(ready: Event) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    signal.alarm(200)  # Even if the worker leaves it behind.
    signal.pause()


def test_after_an_error_a_worker_leaves_neither_processes_nor_files() -> None:
    """Not in pytest's folder: its name is too long for sockets in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        ran = subprocess.run(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == 1
        assert "ValueError: as it happens" in ran.stderr
        assert list(Path(folder).iterdir()) == []
        pid = int(ran.stdout)
    wait_until(lambda: has_ended(pid), "the reading process is still there")
