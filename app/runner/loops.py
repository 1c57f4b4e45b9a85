"""Background loops that retry after temporary failures."""

import logging
from collections.abc import Callable

from gevent.event import Event
from sqlalchemy.exc import OperationalError


def repeat(seconds: float, work: Callable[[], None], wake: Event | None = None) -> None:
    """Call `work` forever: `seconds` after the previous call, or at once when `wake` is set.

    Temporary failures are a full disk, a locked database, a file that cannot be opened. Each is
    logged once, and the next call does the work that was missed.
    """
    wake = wake or Event()
    last_error = ""
    while True:
        try:
            work()
            last_error = ""
        except (OSError, OperationalError) as error:
            if str(error) != last_error:
                logging.getLogger(__name__).error(
                    "A background loop failed and retries until it succeeds: %s", error
                )
            last_error = str(error)
        wake.wait(seconds)
        wake.clear()
