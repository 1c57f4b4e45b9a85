"""What files are by their names. Light: the server imports it."""

import re

IMAGES = (".bmp.gz", ".bmp", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
RAW_H264 = (".h264", ".264", ".avc", ".jsv", ".26l", ".jvt")
STREAMS = (*RAW_H264, ".mp4", ".mkv", ".mov", ".ts", ".m4v")
ORIGINAL_VIDEOS = (".y4m", ".yuv", ".mkv", ".mp4", ".mov", ".avi")
PYTHON = (".py",)
VIDEOS = tuple(dict.fromkeys((*STREAMS, *ORIGINAL_VIDEOS, ".webm", ".m2ts")))


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which frame2 comes before frame10."""
    return [
        (0, int(part)) if part.isdecimal() else (1, part.lower())
        for part in re.split(r"(\d+)", name)
        if part
    ]


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGES) and not name.startswith(".")


def is_video(name: str) -> bool:
    return name.lower().endswith(VIDEOS) and not name.startswith(".")


def kind(name: str) -> str:
    """What a file can be for a dataset: image, stream, video, manifest, python or other."""
    kinds = {
        "image": IMAGES,
        "stream": RAW_H264,
        "video": VIDEOS,
        "manifest": (".csv",),
        "python": PYTHON,
    }
    return next(
        (kind for kind, endings in kinds.items() if name.lower().endswith(endings)), "other"
    )
