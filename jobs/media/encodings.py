"""Encodings of pictures in a store: raw bytes, PNG or JPEG."""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from jobs.media.images import Picture
from jobs.media.png import encode_png

if TYPE_CHECKING:
    from jobs.specs.dataset import Encoding


def encode(picture: Picture, encoding: "Encoding", quality: int = 95) -> bytes:
    """Encode a picture (H, W, C) as raw bytes, as PNG, or as JPEG without chroma subsampling."""
    if encoding == "none":
        return picture.tobytes()
    if encoding == "png":
        return encode_png(picture)
    buffer = io.BytesIO()
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def decode(value: bytes | memoryview, encoding: "Encoding", shape: tuple[int, int, int]) -> Picture:
    """Decode a stored value to a picture, uint8 (H, W, C)."""
    if encoding == "none":
        return np.frombuffer(value, np.uint8).reshape(shape)
    with Image.open(io.BytesIO(value)) as image:
        return np.asarray(image).reshape(shape)
