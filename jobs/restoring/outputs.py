"""Which files a restored video can be written to, by their names. Light: a command that refuses one has not waited for torch."""

from pathlib import Path

from jobs.core.errors import JobError
from jobs.core.suffixes import RAW_H264
from jobs.specs.test import Codec

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".ts": "mpegts",
} | dict.fromkeys(RAW_H264, "h264")
"""FFmpeg's name of the container that an ending stands for."""
FFV1 = (".mkv",)


def check_video(source: Path, out: Path, codec: Codec, overwrite: bool) -> None:
    """Raises JobError for an output that cannot be, or that must not be replaced."""
    ending = out.suffix.lower()
    if ending not in CONTAINERS:
        raise JobError(
            f"{out.name} has no ending of a video that can be written. Choose one of {', '.join(CONTAINERS)}."
        )
    if codec == "ffv1" and ending not in FFV1:
        raise JobError(
            f"FFV1 is written into .mkv only, and the output is {out.name}. Choose that ending, or the codec h264."
        )
    check_free(source, out, overwrite)


def check_free(source: Path, out: Path, overwrite: bool) -> None:
    """Raises JobError for a file that is there, unless it may be replaced, and for one whose folder is not."""
    if out.exists() and source.exists() and out.samefile(source):
        raise JobError(f"{out} is the input itself. Give the output another name.")
    if out.is_dir():
        raise JobError(f"{out} is a folder. Give the name of a file.")
    if out.exists() and not overwrite:
        raise JobError(f"{out} is there already. Give another name, or --overwrite.")
    if not out.parent.is_dir():
        raise JobError(f"There is no folder {out.parent}. Make it, or give another name.")
