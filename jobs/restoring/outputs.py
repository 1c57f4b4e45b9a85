"""Checks of the names of output files.

Light: the command can refuse a name before it loads torch.
"""

from pathlib import Path

from jobs.core.errors import JobError
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
