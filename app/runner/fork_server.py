"""Runs the fork server (jobs/fork_server.py) of this server, in the background."""

import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gevent
from gevent.event import Event

from jobs.core.paths import ROOT
from jobs.core.processes import FORK_SERVER, PERFORMANCE

FIRST_PAUSE = 1.0
MAX_PAUSE = 300.0
"""Seconds between two starts: the pause doubles while the fork server cannot stay."""

ROOM = {"CLEARFRAME_ROOM": "x" * 4096}
"""Makes room for the command and the job that a forked process shows instead (`show`)."""


class ForkServer:
    """Keeps a fork server running. Without one, workers start as well, but slower.

    It ends after `idle_minutes` without a worker (0: never), until `wake` is called.
    """

    def __init__(self, idle_minutes: float) -> None:
        self._idle_minutes = idle_minutes
        self._wake = Event()

    def wake(self) -> None:
        """A worker is being started: load again what the next one needs."""
        self._wake.set()

    def run(self) -> None:
        if sys.platform != "linux" or FORK_SERVER in os.environ:
            return  # macOS cannot fork safely. And a fork server can be shared.
        # The folder is private to this user: anyone who can use the socket can start processes.
        path = Path(tempfile.mkdtemp(prefix="clearframe-")) / "socket"
        os.environ[FORK_SERVER] = str(path)
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            if status := start_fork_server(path, self._idle_minutes).wait():
                pause = FIRST_PAUSE if time.monotonic() - started > MAX_PAUSE else 2 * pause
                logging.getLogger(__name__).warning(
                    "The fork server ended with status %d. Workers start slower until it runs "
                    "again, in %d s.",
                    status,
                    min(pause, MAX_PAUSE),
                )
                gevent.sleep(min(pause, MAX_PAUSE))
            else:  # It was idle. What was started until now does not count.
                self._wake.clear()
                self._wake.wait()


def start_fork_server(path: Path, idle_minutes: float) -> "subprocess.Popen[bytes]":
    """Start a fork server. It ends when the other end of its `stdin` is closed."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)  # Left behind by one that was killed.
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.fork_server", str(path), str(idle_minutes)],
        env={**os.environ, **PERFORMANCE, **ROOM, "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
