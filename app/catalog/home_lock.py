"""One server a home: two would start each job twice."""

import fcntl
import os
from pathlib import Path


class HomeInUse(Exception):
    """Another server works on this home; the text says so."""


def hold(home: Path) -> int:
    """Take a home for this process; the kernel frees it when that ends, however it ends. Raises HomeInUse."""
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise HomeInUse(
            f"Another server works on the jobs in {home}. Stop it, or give another folder with --home."
        ) from None
    return descriptor
