"""Reading of images to restore: accepts many formats, or refuses a file with a reason.

Datasets are stricter (jobs/media/images.py): a wrong file among thousands would stay unnoticed.
"""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from jobs.core.errors import JobError
from jobs.media.images import Picture, is_deep, open_image

SUPPORTED_MODES = frozenset(
    {
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "YCbCr",
        "I;16",
        "I;16B",
        "I;16L",
        "I;16N",
    }
)
"""Pillow's modes whose values have a known meaning: not CMYK, LAB, or 32-bit numbers."""

DECODERS = {"PNG": "png", "TIFF": "tiff"}
DEEP_FORMATS = {
    "gray16be": (1, ">u2"),
    "gray16le": (1, "<u2"),
    "ya16be": (2, ">u2"),
    "ya16le": (2, "<u2"),
    "rgb48be": (3, ">u2"),
    "rgb48le": (3, "<u2"),
    "rgba64be": (4, ">u2"),
    "rgba64le": (4, "<u2"),
}
"""FFmpeg's formats with 16 bits per value: the number of channels and the dtype of a value."""


def read_any(path: Path) -> tuple[Picture, list[str]]:
    """An image as RGB uint8 (H, W, 3), and a sentence on each conversion that changed it.

    Raises JobError, with the file's name.
    """
    notes = []
    with open_image(path) as (image, data):
        if image.mode not in SUPPORTED_MODES:
            raise JobError(
                f"{path.name} is in {_mode_name(image.mode)}. Convert it to RGB with 8 bits per "
                "value."
            )
        pictures, deep = getattr(image, "n_frames", 1), is_deep(image)
        rotated = image.getexif().get(Base.Orientation, 1) in range(2, 9)
        if pictures > 1 and image.format != "MPO":  # MPO: a photograph with previews.
            notes.append(f"{path.name} has {pictures} pictures; only the first is used.")
        image.load()
        shallow = _rounded(path.name, image, data) if deep else image
        if deep:
            notes.append(f"{path.name} has 16 bits per value, rounded to 8 for the network.")
        if rotated:
            notes.append(f"{path.name} was rotated or mirrored to its EXIF orientation.")
        return np.asarray(_opaque(path.name, ImageOps.exif_transpose(shallow))), notes


def _mode_name(mode: str) -> str:
    return {
        "CMYK": "CMYK, which is for print",
        "F": "floating point numbers",
        "I": "32-bit integers",
    }.get(mode, mode)


def _opaque(name: str, image: Image.Image) -> Image.Image:
    """An image as RGB. Raises JobError if any pixel is transparent."""
    if image.has_transparency_data:
        lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
        if lowest != 255:
            raise JobError(
                f"{name} has transparent pixels. Flatten the image first: the network needs "
                "opaque colours."
            )
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _rounded(name: str, image: Image.Image, data: bytes) -> Image.Image:
    """A 16-bit image with each value rounded to 8 bits, and with its EXIF orientation.

    Pillow would cut off the low bits.
    """
    values = _decoded(name, image, data)
    rounded = Image.fromarray(
        ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8).squeeze()
    )
    rounded.getexif()[Base.Orientation] = image.getexif().get(Base.Orientation, 1)
    return rounded


def _decoded(name: str, image: Image.Image, data: bytes) -> NDArray[np.uint16]:
    """The values of a 16-bit image, uint16 (H, W, C). Raises JobError if FFmpeg fails."""
    decoder = av.CodecContext.create(DECODERS[image.format or ""], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        raise JobError(
            f"{name} cannot be decoded with 16 bits per value: {error.strerror}. Convert it to 8 "
            "bits."
        ) from error
    frame = frames[0] if frames else None
    if frame is None or frame.format.name not in DEEP_FORMATS:
        raise JobError(
            f"{name} has more than 8 bits per value in an unknown format. Convert it to 8 bits."
        )
    channels, dtype = DEEP_FORMATS[frame.format.name]
    rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(frame.height, -1)
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
