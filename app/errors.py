"""What hinders a request for a while, and is nobody's fault: it fails with a sentence, and the server goes on."""

import errno

from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

MESSAGE = "The disk on which the server keeps its jobs is full. Make room, or delete jobs that are not needed."


class InsufficientStorage(HTTPException):
    """The answer to a request that could not be stored."""

    code = 507
    description = MESSAGE


class TooManyUploads(HTTPException):
    """The answer to one more upload than there may be."""

    code = 429
    description = "The server keeps as many uploads as it may. Put the files below a data root, or try again in some days."


class DatabaseBusy(HTTPException):
    """The answer to a request while another program holds the database."""

    code = 503
    description = (
        "Another program holds the server's database. Nothing was changed: try again in a moment."
    )


def is_full(error: OSError | OperationalError) -> bool:
    """Whether an error of the operating system or of SQLite means a full disk."""
    return getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)


def is_locked(error: OSError | OperationalError) -> bool:
    """Whether another program holds SQLite's file."""
    return "database is locked" in str(error)
