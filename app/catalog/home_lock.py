"""A lock on the home: with two servers, each job would start twice."""

import fcntl
import os
from pathlib import Path


class HomeInUse(Exception):
    """Another server uses this home; the message says so."""


def hold(home: Path) -> int:
    """Lock a home for this process; the kernel releases the lock when the process ends.

    Returns the open descriptor. Raises HomeInUse.
    """
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise HomeInUse(
            f"Another server uses the home {home}. Stop it, or choose another folder with --home."
        ) from None
    return descriptor


def is_held(home: Path) -> bool:
    """Whether a server uses the home now."""
    try:
        descriptor = os.open(home / "server.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
