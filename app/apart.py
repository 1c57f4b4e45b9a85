"""Work apart from the server's loop: reading of files and texts from clients, of any length.

The loop waits for a thread at most for the interpreter's switch interval. So this is for Python
code that does not use the database, not for long calls into C, which keep the interpreter.
"""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

from gevent.threadpool import ThreadPool
from gevent.util import wrap_errors

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2
"""Each thread at work makes the loop wait once more for the interpreter."""


@cache
def _pool() -> ThreadPool:
    """Made at the first call: it belongs to the loop of the process."""
    return ThreadPool(THREADS)


def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` in a thread; other requests are answered until it returns or raises."""
    # A thread that raises would print its traceback, although the caller handles the error.
    result: T | Exception = _pool().apply(wrap_errors(Exception, work), args, kwargs)
    if isinstance(result, Exception):
        raise result
    return result
