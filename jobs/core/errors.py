"""Errors whose text is written for users. `jobs.run` puts it into the event log."""

import errno
import os
import shutil
from pathlib import Path


class JobError(Exception):
    """The job cannot continue. The text says what is wrong, where, and what to do."""


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 frame", "1,204 frames"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def disk_full(then: str, finished: str = "") -> str:
    """The reason if a disk is full. `then`: what the user does next. `finished`: what is kept."""
    return f"The disk is full{': ' + finished if finished else ''}. Free some space, then {then}."


def is_disk_full(error: OSError) -> bool:
    """Whether the disk, or the user's quota of it, has no space left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def lmdb_disk_full(error: Exception, folder: Path, needed: int) -> OSError | None:
    """The OSError of a full disk that LMDB reports in words; None for its other errors.

    LMDB reports a short write as an input/output error. `needed`: the bytes that it wrote.
    """
    full = any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EIO))
    if full and shutil.disk_usage(folder).free < needed:
        return OSError(errno.ENOSPC, str(error))
    return None


REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Errors of a disk or of permissions, which the user can remove, by errno."""


def refused(error: OSError) -> str:
    """What the user can do about an error whose errno is in REFUSED; "" for any other error."""
    if error.errno not in REFUSED:
        return ""
    if is_disk_full(error):
        return disk_full("try again")
    place = error.filename2 or error.filename
    path = f"{os.fsdecode(place)}: " if isinstance(place, str | bytes) else ""
    return f"{path}{error.strerror}. Check the permissions and the disk, or choose another folder."


class Aborted(Exception):
    """The job was asked to stop."""
