"""The file of a restored video or image: checks of its name, and disk space in reserve.

Light: the command can refuse a name before it loads torch. If the disk becomes full, the reserve is
the space for the index, without which an .mp4 does not play.
"""

import errno
from pathlib import Path
from typing import IO

from jobs.core.errors import JobError, is_disk_full
from jobs.core.suffixes import RAW_H264
from jobs.specs.test import BitDepth, Codec

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".ts": "mpegts",
} | dict.fromkeys(RAW_H264, "h264")
"""FFmpeg's name of the container, by file extension."""
EXTENSIONS: dict[Codec, tuple[str, ...]] = {
    "h264": tuple(CONTAINERS),
    "hevc": (".mp4", ".m4v", ".mov", ".mkv", ".ts"),
    "ffv1": (".mkv",),
}
"""The file extensions of a codec's containers."""
DEPTHS: dict[Codec, tuple[int, ...]] = {
    "h264": (8, 10),
    "hevc": (8, 10, 12),
    "ffv1": (8, 10, 12, 16),
}
"""The bits per value that a codec may have, rising."""


def check_video(source: Path, out: Path, codec: Codec, overwrite: bool) -> None:
    """Raise JobError for an impossible output, or for one that must not be replaced."""
    extension = out.suffix.lower()
    if extension not in CONTAINERS:
        raise JobError(
            f"{out.name} does not have the file extension of a supported video. "
            f"Choose one of {', '.join(CONTAINERS)}."
        )
    if extension not in EXTENSIONS[codec]:
        raise JobError(
            f"{codec.upper()} requires {', '.join(EXTENSIONS[codec])}, but the output is "
            f"{out.name}. Choose another extension, or the codec h264."
        )
    check_free(source, out, overwrite)


def depths_of(codec: Codec, requested: BitDepth) -> tuple[int, ...]:
    """The bits per value that an output may have, rising."""
    return (8,) if requested == "8" else DEPTHS[codec]


def check_free(source: Path, out: Path, overwrite: bool) -> None:
    """Raise JobError if the output exists and must not be replaced, or if its folder is missing."""
    if out.exists() and source.exists() and out.samefile(source):
        raise JobError(f"{out} is the input itself. Give the output another name.")
    if out.is_dir():
        raise JobError(f"{out} is a folder. Give the name of a file.")
    if out.exists() and not overwrite:
        raise JobError(f"{out} already exists. Give another name, or --overwrite.")
    if not out.parent.is_dir():
        raise JobError(f"The folder {out.parent} does not exist. Create it, or give another name.")


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
