"""Threads for work outside of the server's loop: files and texts from clients, of any length.

The loop waits for a thread at most for the interpreter's switch interval. So this is for Python
code that does not use the database, not for long calls into C, which keep the interpreter.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

from gevent.threadpool import ThreadPool
from gevent.util import wrap_errors

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2
"""Of each pool. Each thread at work makes the loop wait once more for the interpreter."""
SWITCH_SECONDS = 0.0005
"""The interpreter's switch interval. The loop needs the interpreter several times for an answer."""


@cache
def _pool(name: str) -> ThreadPool:
    """Made at the first call: it belongs to the loop of the process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    return ThreadPool(THREADS)


def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` in a thread; other requests are answered until it returns or raises."""
    return _in(_pool("own files and texts"), work, *args, **kwargs)


def in_thread_at_paths(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` that reads paths from clients, as `in_thread` does, in threads of its own.

    A path may be on a disk that does not answer, or name a huge file: the server's own files are
    read and written all the same.
    """
    return _in(_pool("paths of clients"), work, *args, **kwargs)


def _in(pool: ThreadPool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # A thread that raises would print its traceback, although the caller handles the error.
    result: T | Exception = pool.apply(wrap_errors(Exception, work), args, kwargs)
    if isinstance(result, Exception):
        raise result
    return result
