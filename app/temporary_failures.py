"""Temporary failures (full disk, locked database, too many uploads) and their HTTP errors.

Jobs report a full disk with `disk_full` of jobs/core/errors.py.
"""

import errno

from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

DISK_FULL = (
    "The disk with the server's jobs is full. Make room, or delete jobs that are not needed."
)


class InsufficientStorage(HTTPException):
    """507: the disk is full, nothing was stored."""

    code = 507
    description = DISK_FULL


class TooManyUploads(HTTPException):
    """429: the limit for uploads is reached."""

    code = 429
    description = (
        "The server's limit for uploads is reached. "
        "Put the files below a data root, or try again in a few days."
    )


class DatabaseBusy(HTTPException):
    """503: another program has locked the database."""

    code = 503
    description = (
        "Another program has locked the server's database. Nothing was changed. "
        "Try again in a moment."
    )


def is_full(error: OSError | OperationalError) -> bool:
    """Whether an error from the operating system or SQLite means that the disk is full."""
    return getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)


def is_locked(error: OSError | OperationalError) -> bool:
    """Whether another program has locked the SQLite file."""
    return "database is locked" in str(error)
