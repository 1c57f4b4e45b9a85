"""The file of a restored video, with some disk space in reserve.

If the disk becomes full, that is the space for the index, without which an .mp4 does not play.
"""

import errno
from pathlib import Path
from typing import IO

from jobs.core.errors import is_disk_full

RESERVED_BYTES = 2**20


class DiskFull(Exception):
    """The disk has no space for more frames. The frames that were written are complete."""


class OutputFile:
    """A file that FFmpeg writes to, with reserved bytes that are released when the disk is full.

    The reserved bytes are in a second file in the same folder.
    """

    def __init__(self, path: Path) -> None:
        self.full = False
        self._path = path
        self._reserve_path = path.with_name(f"{path.name}.room")
        self._file: IO[bytes] = path.open("wb", buffering=0)
        self._reserved = 0
        self.reserve(RESERVED_BYTES)

    def reserve(self, size: int) -> None:
        """Reserve at least `size` bytes. Rounds up, so that most calls write nothing."""
        if size <= self._reserved or self.full:
            return
        more, self._reserved = size + RESERVED_BYTES - self._reserved, size + RESERVED_BYTES
        try:
            with self._reserve_path.open("ab") as reserve:
                reserve.write(bytes(more))
        except OSError as error:
            self._release(error)

    def _release(self, error: OSError) -> None:
        """Release the reserved bytes if the disk is full. Raises any other error."""
        if not is_disk_full(error) and error.errno != errno.EFBIG:
            raise error
        self.full = True
        self._reserve_path.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                if self.full:
                    raise
                self._release(error)
        return len(data)

    def reopen(self, *_: object) -> IO[bytes]:
        """The file for reading: FFmpeg moves written data to make room for the index."""
        return self._path.open("rb")

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._reserve_path.unlink(missing_ok=True)
