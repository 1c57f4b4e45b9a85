"""Long work in the server's loop in parts: other requests get their turn between them."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import gevent

T = TypeVar("T")

TURN = 0.005
"""Seconds of work after which other requests get their turn."""
PAUSE = 0.001
"""Seconds that other greenlets get. With gevent.sleep(0), sockets would not be polled."""


def in_turns(items: Iterable[T]) -> Iterator[T]:
    """The items, with turns of other greenlets between them: a fast client would block all others.

    Producing and using one item should take less than TURN. Items that take little time share a
    turn: a pause for each of them would cost more than their work.
    """
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > TURN:
            gevent.sleep(PAUSE)
            began = time.monotonic()
