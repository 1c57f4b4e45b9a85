"""Write files so that a crash leaves them complete; durable files survive a power failure too."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes | memoryview | str, durable: bool = False) -> None:
    """Write a file that readers see complete or not at all. A str is encoded as UTF-8.

    The data goes into a draft, `.NAME` in the same folder, which then replaces `path`. If that
    fails, the draft is removed and an earlier file stays as it was. `durable`: after the return,
    the file survives a power failure (fsync of the file and of its folder).
    """
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(data.encode() if isinstance(data, str) else data)
        if durable:
            sync(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)
