"""Processes that a request waits for: a few at a time, and only while their client waits."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import has_request_context, request
from gevent.lock import BoundedSemaphore
from werkzeug.exceptions import HTTPException

from jobs.core import processes

HAS_LEFT = "clearframe.has_left"
"""Key of the WSGI environment: a function that says whether the client closed its connection."""


class ClientHasLeft(HTTPException):
    """Ends a request without a client; the status, nginx's, appears in the log only."""

    code = 499
    description = "The client closed the connection."


def require_client() -> None:
    """Raises ClientHasLeft."""
    if has_request_context() and request.environ.get(HAS_LEFT, bool)():
        raise ClientHasLeft


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
