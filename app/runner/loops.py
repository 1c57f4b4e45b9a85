"""What the server does again and again, whatever hinders it for a while."""

import logging
from collections.abc import Callable

from gevent.event import Event
from sqlalchemy.exc import OperationalError


def every(seconds: float, work: Callable[[], None], sooner: Event | None = None) -> None:
    """Do the work again and again, and at once when `sooner` is set.

    A full disk, a database that another program holds, a file that cannot be opened: that is told once, and waited for, as all
    that was missed is done in a later round."""
    wake = sooner or Event()
    hindered = ""
    while True:
        try:
            work()
            hindered = ""
        except (OSError, OperationalError) as error:
            if str(error) != hindered:
                logging.getLogger(__name__).error("Tried again until it works: %s", error)
            hindered = str(error)
        wake.wait(seconds)
        wake.clear()
