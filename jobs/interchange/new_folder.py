"""A folder that appears complete or not at all."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.core.durable_files import sync
from jobs.core.errors import JobError


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A hidden draft next to `target`, which gets its name at the end, or is removed on an error.

    Raises JobError if the target contains something or another process writes it, and OSError.
    """
    target = Path(os.path.abspath(target))
    _require_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    with _locked(draft, target):
        try:
            yield draft
            sync(draft)
            _rename(draft, target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    sync(target.parent)


def _require_free(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise JobError(f"The folder {target} is not empty. Give a new or an empty folder.")
    elif os.path.lexists(target):
        raise JobError(f"{target} is not a folder. Give a new or an empty folder.")


@contextmanager
def _locked(draft: Path, target: Path) -> Iterator[None]:
    """Create the draft, without what a killed process left in it, and hold its lock."""
    draft.mkdir(exist_ok=True)
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in draft.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield
    except BlockingIOError as error:
        raise JobError(
            f"Another process writes {target}. Wait for its end, or give another folder."
        ) from error
    finally:
        os.close(descriptor)


def _rename(draft: Path, target: Path) -> None:
    """Give the draft its name. An empty folder of this name is replaced."""
    try:
        draft.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR):
            raise
        raise JobError(
            f"{target} cannot be replaced: {error.strerror}. Give the path of a new folder."
        ) from error
