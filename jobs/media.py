"""Frames out of streams, and images out of files: always RGB, uint8 (H, W, 3)."""

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray
from PIL import Image

from jobs.errors import JobError

Picture = NDArray[np.uint8]

RAW_H264 = (".h264", ".264", ".avc", ".jsv", ".26l")
IMAGES = (".bmp.gz", ".bmp", ".png")
MAX_IMAGE_BYTES = 512 * 2**20
"""What one image may unpack to: a small .bmp.gz can hold gigabytes of zeros."""


def decode(stream: Path, warn: Callable[[str], None] = lambda text: None) -> Iterator[Picture]:
    """The frames of a video's first video stream, in display order.

    A packet that cannot be decoded is reported to `warn` and passed over, as players do: whether
    frames are missing is for the caller to find out. Raises JobError where the file is no video.
    """
    for frame in _frames(stream, warn):
        # Bicubic, as the ffmpeg command does: the chroma planes have to grow to the size of luma.
        yield np.asarray(frame.to_ndarray(format="rgb24", interpolation=Interpolation.BICUBIC), np.uint8)


def count_frames(stream: Path) -> int:
    """How many frames decode."""
    return sum(1 for _ in _frames(stream, lambda text: None))


def _frames(stream: Path, warn: Callable[[str], None]) -> Iterator[av.VideoFrame]:
    try:
        container = av.open(str(stream), format="h264" if stream.suffix.lower() in RAW_H264 else None)
    except (av.error.FFmpegError, OSError) as error:
        raise JobError(f"{stream.name} is no video that can be read: {_words(error)}. Give an H.264 stream.") from error
    with container:
        if not container.streams.video:
            raise JobError(f"{stream.name} has no video in it. Give an H.264 stream.")
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        packets = container.demux(video)
        number = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                warn(f"{stream.name} breaks off behind frame {number - 1}: {_words(error)}")
                return
            try:
                for frame in packet.decode():
                    yield frame
                    number += 1
            except av.error.FFmpegError as error:
                warn(f"{stream.name}: what follows frame {number - 1} cannot be decoded ({_words(error)})")


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def natural(path: Path) -> list[tuple[int, int | str]]:
    """Sort key by which frame2 comes before frame10."""
    return [(0, int(part)) if part.isdigit() else (1, part.lower()) for part in re.split(r"(\d+)", path.name) if part]


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order. Raises JobError where there are none."""
    if not folder.is_dir():
        raise JobError(f"{folder} is no folder. Give the folder of the originals.")
    images = sorted((path for path in folder.iterdir() if path.name.lower().endswith(IMAGES) and path.is_file()), key=natural)
    if not images:
        raise JobError(f"{folder} has no image in it. Give the folder of the originals: {', '.join(IMAGES)}.")
    return images


def read_image(path: Path) -> Picture:
    """An image file, gzipped or not. Raises JobError, with the file's name, for all that is none."""
    try:
        data = _unzip(path) if path.suffix.lower() == ".gz" else path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height * 3 > MAX_IMAGE_BYTES:
                limit = f"The limit is {MAX_IMAGE_BYTES // 2**20} MiB unpacked."
                raise JobError(f"{path.name} is {image.width}x{image.height}: too large. {limit}")
            if image.mode.startswith("I") or image.mode == "F":
                raise JobError(f"{path.name} has more than 8 bits a value. Convert it to 8 bits.")
            if image.has_transparency_data:
                raise JobError(f"{path.name} has transparency. Flatten it first: a network cannot restore what lies behind.")
            return np.asarray(image.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise JobError(f"{path.name} is too large: {error}") from error
    except (OSError, EOFError, SyntaxError, ValueError, zlib.error) as error:
        raise JobError(f"{path.name} is no image that can be read: {error}. Replace it or take it away.") from error


def _unzip(path: Path) -> bytes:
    with gzip.open(path) as file:
        data = file.read(MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise JobError(f"{path.name} unpacks to more than {MAX_IMAGE_BYTES // 2**20} MiB and is refused.")
    return data


def size(picture: Picture) -> str:
    """352x288"""
    return f"{picture.shape[1]}x{picture.shape[0]}"
