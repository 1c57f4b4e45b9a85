"""Python code of users, in files and packages: run it, and report its errors as those of a job."""

import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jobs.core.errors import Aborted, JobError
from jobs.core.launcher import USER_CODE
from jobs.core.limits import is_out_of_memory

_loaded: dict[str, str] = {}
"""The code of users that this process has run: its name in sentences by its file or folder."""


def function_in_file(path: str, name: str) -> Callable[..., Any]:
    """The function of that name in a Python file. Raises JobError."""
    if not os.environ.get(USER_CODE):
        raise JobError("A Python file runs only if the server was started with --allow-user-code.")
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}.") from error
    _loaded[path] = path
    with errors_of(path):
        # TorchScript stores the name of the module in which a class is defined: keep it constant.
        names = runpy.run_path(path, run_name="user_code")
    if not callable(names.get(name)):
        raise JobError(f"{path} has no function {name}. Define it in this file.")
    function: Callable[..., Any] = names[name]
    return function


def function_in_package(entry: EntryPoint) -> Callable[..., Any]:
    """The function of an entry point. Raises JobError."""
    name = f"The entry point {entry.name}"
    with errors_of(name):
        function: Callable[..., Any] = entry.load()
        package = sys.modules[entry.module.partition(".")[0]]
        for place in getattr(package, "__path__", [package.__file__]):
            _loaded[place] = f"{name}: {place}"
    return function


@contextmanager
def errors_of(code: str) -> Iterator[None]:
    """Raise errors of foreign code as JobError, with the line if it is known. `code`: its name."""
    try:
        yield
    except (JobError, Aborted):
        raise
    # The code of others may raise any class, also its own, and may call exit().
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        raise _as_job_error(error, _line_in_user_code(error) or code) from error


@contextmanager
def errors_of_user_code() -> Iterator[None]:
    """Raise errors as JobError with their line if code of users raised them: a network in a step.

    Other errors pass, and so do those of other ranks, which a layer may be waiting for.
    """
    try:
        yield
    except (JobError, Aborted):
        raise
    except (Exception, SystemExit) as error:
        line = _line_in_user_code(error)
        if not line or is_out_of_memory(error) or type(error).__module__ == "torch.distributed":
            raise
        traceback.print_exception(error)  # For worker.log.
        raise _as_job_error(error, line) from error


def _as_job_error(error: BaseException, where: str) -> JobError:
    text = "".join(str(error).strip().split("\n", 1)[:1]).rstrip(".")
    what = ": ".join(filter(None, (type(error).__name__, text)))
    return JobError(f"{where}: {what}. {_fix(error)}")


def _line_in_user_code(error: BaseException) -> str:
    """The line in which an error began, that of the innermost call in users' code; "" if none."""
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    for file, line in reversed(lines):
        for place, name in _loaded.items():
            if line and (file == place or file.startswith(f"{place}{os.sep}")):
                return f"{name}{file.removeprefix(place)}, line {line}"
    return ""


def _fix(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "Install the module for the Python that runs Clearframe, or remove the import."
    return "Correct the code, then start the job again."
