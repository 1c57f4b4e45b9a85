"""Waits of tests for a condition, a line or the end of a process, with a limit."""

import subprocess
import time
from collections.abc import Callable
from threading import Timer
from typing import IO

import psutil

LIMIT = 60.0
"""Seconds, also for a busy machine."""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = LIMIT) -> None:
    """Wait until the condition holds. `what`: what has not happened after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"after {seconds:.0f} s: {what}"
        pause(began)


def pause(began: float) -> None:
    """Sleep for a tenth of the time since `began`: questions take time from what is awaited."""
    time.sleep(min(0.2, max(0.01, (time.monotonic() - began) / 10)))


def next_line(process: subprocess.Popen[str], stream: IO[str] | None) -> str:
    """The next line of a process in one of its streams. A process that is silent is killed."""
    assert stream is not None, "the stream is no pipe"
    limit = Timer(LIMIT, process.kill)
    limit.start()
    try:
        line = stream.readline()
    finally:
        limit.cancel()
    assert line, f"no line within {LIMIT:.0f} s, or the process has ended"
    return line


def has_ended(pid: int) -> bool:
    """Whether a process has ended, also if nobody asks for its exit status.

    In a container without an init it stays a zombie then.
    """
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
