"""A disk that is full: jobs and requests fail with a sentence, and the server goes on."""

import errno
import logging
from collections.abc import Callable

import gevent
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

MESSAGE = "The disk on which the server keeps its jobs is full. Make room, or delete jobs that are not needed."


class InsufficientStorage(HTTPException):
    """The answer to a request that could not be stored."""

    code = 507
    description = MESSAGE


def is_full(error: OSError | OperationalError) -> bool:
    """Whether an error of the operating system or of SQLite means a full disk."""
    return getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)


def every(seconds: float, work: Callable[[], None]) -> None:
    """Do the work again and again; a full disk is waited for, as all that was missed is done in the next round."""
    told = False
    while True:
        try:
            work()
            told = False
        except (OSError, OperationalError) as error:
            if not is_full(error):
                raise
            if not told:
                logging.getLogger(__name__).error(MESSAGE)
                told = True
        gevent.sleep(seconds)
