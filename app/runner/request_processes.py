"""Processes that a request waits for: a few at a time, and only while their client waits."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore

from app.client import require_client
from jobs.core import processes


def run(
    slots: BoundedSemaphore,
    module: str,
    input: str,
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a module when a slot is free, as `jobs.core.processes.run` does.

    Raises subprocess.TimeoutExpired, ClientHasLeft.
    """
    with _slot(slots):
        return processes.run(module, (), input, env, timeout, require_client)


@contextmanager
def _slot(slots: BoundedSemaphore) -> Iterator[None]:
    while not slots.acquire(timeout=processes.CHECK_SECONDS):
        require_client()
    try:
        yield
    finally:
        slots.release()
