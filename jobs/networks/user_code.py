"""Python files of users: run them, and report their errors as errors of the job."""

import os
import runpy
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.core.errors import Aborted, JobError
from jobs.core.launcher import USER_CODE
from jobs.core.limits import is_out_of_memory


def function_in_file(path: str, name: str) -> Callable[..., Any]:
    """The function of that name in a Python file. Raises JobError."""
    if not os.environ.get(USER_CODE):
        raise JobError("A Python file runs only if the server was started with --allow-user-code.")
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}.") from error
    with errors_of(path):
        # TorchScript stores the name of the module in which a class is defined: keep it constant.
        names = runpy.run_path(path, run_name="user_code")
    if not callable(names.get(name)):
        raise JobError(f"{path} has no function {name}. Define it in this file.")
    function: Callable[..., Any] = names[name]
    return function


@contextmanager
def errors_of(code: str) -> Iterator[None]:
    """Raise errors of foreign code as JobError, with the line if `code` is the path of its file."""
    try:
        yield
    except (JobError, Aborted):
        raise
    # The code of others may raise any class, also its own, and may call exit().
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        line = _line_in(code, error)
        where = f"{code}, line {line}" if line else code
        text = "".join(str(error).strip().split("\n", 1)[:1]).rstrip(".")
        what = ": ".join(filter(None, (type(error).__name__, text)))
        raise JobError(f"{where}: {what}. {_fix(error)}") from error


def _line_in(path: str, error: BaseException) -> int | None:
    """The line of a file in which an error began: that of the innermost call in the file."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == path), None)


def _fix(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "Install the module for the Python that runs Clearframe, or remove the import."
    return "Correct the code, then start the job again."
