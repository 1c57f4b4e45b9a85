"""File names: their types by extension, their order, their Unicode forms. The server imports it."""

import os
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

IMAGES = (".bmp.gz", ".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
RAW_H264 = (".h264", ".264", ".avc", ".jsv", ".26l", ".jvt")
STREAMS = (*RAW_H264, ".mp4", ".mkv", ".mov", ".ts", ".m4v")
ORIGINAL_VIDEOS = (".y4m", ".yuv", ".mkv", ".mp4", ".mov", ".avi")
PATH_LISTS = (".txt", ".lst")
PYTHON = (".py",)
WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
"""Files of weights: safetensors, and those that torch.save writes."""
PACKED = (".tar", ".parquet")
"""Files with many pictures: shards of WebDataset, and Parquet."""
VIDEOS = tuple(dict.fromkeys((*STREAMS, *ORIGINAL_VIDEOS, ".webm", ".m2ts")))


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): macOS writes é as two characters, others as one."""
    return unicodedata.normalize("NFC", name)


def existing(path: Path) -> Path | None:
    """The file or folder at a path, though a name may be in another Unicode form; None if absent.

    Raises OSError for a folder on the way that cannot be listed.
    """
    if path.exists() or path == path.parent:
        return path
    parent = existing(path.parent)
    if parent is None or not parent.is_dir() or path.name.isascii():
        return None
    name = composed(path.name)
    return next((parent / other for other in os.listdir(parent) if composed(other) == name), None)


def natural(name: str) -> Any:
    """Sort key that puts frame2 before frame10, whatever the case and Unicode form of a name."""
    return _natural_key()(name)


@cache
def _natural_key() -> Callable[[str], Any]:
    from natsort import natsort_keygen, ns  # It loads for 10 ms: the server's start is faster.

    return natsort_keygen(alg=ns.IGNORECASE)


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGES) and not name.startswith(".")


def is_video(name: str) -> bool:
    return name.lower().endswith(VIDEOS) and not name.startswith(".")


def kind(name: str) -> str:
    """The type of a file: image, stream, video, manifest, list, python or other."""
    kinds = {
        "image": IMAGES,
        "stream": RAW_H264,
        "video": VIDEOS,
        "manifest": (".csv",),
        "list": PATH_LISTS,
        "python": PYTHON,
    }
    return next(
        (kind for kind, extensions in kinds.items() if name.lower().endswith(extensions)), "other"
    )
