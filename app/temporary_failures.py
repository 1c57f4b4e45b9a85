"""Failures of the machine (disk, permissions, locked database, uploads) and their HTTP errors.

jobs/core/errors.py has the texts of a full disk for jobs.
"""

import errno

from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from jobs.core.errors import is_disk_full, refused

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
        "The server's limit for uploads is reached. Put the files below a data root, or delete "
        "uploads of the last four days (DELETE /api/v1/uploads/<id>)."
    )


class DatabaseBusy(HTTPException):
    """503: another program has locked the database."""

    code = 503
    description = (
        "Another program has locked the server's database. Nothing was changed. "
        "Try again in a moment."
    )


READ_ONLY = ("attempt to write a readonly database", "unable to open database file")
"""SQLite's errors for a file or a folder without write permission."""


def is_full(error: OSError | OperationalError) -> bool:
    """Whether an error from the operating system or SQLite means that the disk is full."""
    if isinstance(error, OSError):
        return is_disk_full(error)
    return "disk is full" in str(error)


def is_locked(error: OSError | OperationalError) -> bool:
    """Whether another program has locked the SQLite file."""
    return "database is locked" in str(error)


class NotWritable(HTTPException):
    """500: the server cannot write to its home; the description says why."""

    code = 500


def is_refusal(error: OSError | OperationalError) -> bool:
    """Whether permissions, or a read-only disk, are the reason."""
    if isinstance(error, OSError):
        return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return any(sign in str(error) for sign in READ_ONLY)


def lasting_failure(error: OSError | OperationalError) -> str:
    """The sentence on a disk or permissions that somebody must change; "" for any other error."""
    if isinstance(error, OSError):
        return refused(error)
    if is_full(error):
        return DISK_FULL
    if is_refusal(error):
        return (
            "The database cannot be written. "
            "Check the permissions and the disk, or choose another folder."
        )
    return ""
