"""An image that somebody wants to be restored, whatever it comes as: read for what it is, or refused with a reason.

Datasets are stricter (jobs/media/images.py): there a file that is not quite what was meant would be one of thousands.
"""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from jobs.core.errors import JobError
from jobs.media.images import Picture, is_deep, opened

KNOWN = frozenset(
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
"""Pillow's modes of which it is certain what their values mean: not CMYK and LAB, nor numbers of 32 bits."""

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
"""FFmpeg's names for 16 bits a value: channels, and how a value is stored."""


def read_any(path: Path) -> tuple[Picture, list[str]]:
    """RGB (H, W, 3), and what was done to make it so, in sentences. Raises JobError, with the file's name."""
    notes = []
    with opened(path) as (image, data):
        if image.mode not in KNOWN:
            raise JobError(
                f"{path.name} is in {_kind(image.mode)}. Convert it to RGB with 8 bits a value."
            )
        pictures, deep = getattr(image, "n_frames", 1), is_deep(image)
        turned = image.getexif().get(Base.Orientation, 1) in range(2, 9)
        if pictures > 1 and image.format != "MPO":  # A photograph with its previews.
            notes.append(f"{path.name} has {pictures} pictures: the first one is taken.")
        image.load()
        whole = _rounded(path.name, image, data) if deep else image
        if deep:
            notes.append(f"{path.name} has 16 bits a value: they are rounded to 8 for the network.")
        if turned:
            notes.append(f"{path.name} is turned as it says that it should be (EXIF orientation).")
        return np.asarray(_opaque(path.name, ImageOps.exif_transpose(whole))), notes


def _kind(mode: str) -> str:
    return {
        "CMYK": "CMYK, colours of a printer",
        "F": "floating point numbers",
        "I": "values of 32 bits",
    }.get(mode, mode)


def _opaque(name: str, image: Image.Image) -> Image.Image:
    """RGB of an image that hides nothing. Raises JobError where it is transparent somewhere."""
    if image.has_transparency_data:
        lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
        if lowest != 255:
            raise JobError(
                f"{name} has transparency. Flatten it first: a network cannot restore what lies behind."
            )
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _rounded(name: str, image: Image.Image, data: bytes) -> Image.Image:
    """The image with 8 bits a value out of 16, each the nearest one, and turned as the file says; Pillow would cut them."""
    values = _decoded(name, image, data)
    made = Image.fromarray(
        ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8).squeeze()
    )
    made.getexif()[Base.Orientation] = image.getexif().get(Base.Orientation, 1)
    return made


def _decoded(name: str, image: Image.Image, data: bytes) -> NDArray[np.uint16]:
    """(H, W, C), uint16. Raises JobError where FFmpeg knows no such file."""
    decoder = av.CodecContext.create(DECODERS[image.format or ""], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        raise JobError(
            f"{name} cannot be read with its 16 bits a value: {error.strerror}. Convert it to 8 bits."
        ) from error
    frame = frames[0] if frames else None
    if frame is None or frame.format.name not in DEEP_FORMATS:
        raise JobError(
            f"{name} has more than 8 bits a value in a way that is not known. Convert it to 8 bits."
        )
    channels, stored = DEEP_FORMATS[frame.format.name]
    rows = np.frombuffer(memoryview(frame.planes[0]), stored).reshape(frame.height, -1)
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
