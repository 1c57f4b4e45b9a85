"""A fast PNG encoder for the dataset job: one cheap filter, and ISA-L's deflate.

Each row is stored as the difference to the row above (filter 2, Up) and compressed at ISA-L's
level 1. This is about twenty times as fast as Pillow's default, for a few percent more bytes. Any
PNG reader can read the files.
"""

import struct
import zlib

import numpy as np
from isal import isal_zlib

from jobs.media.images import Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UP = 2
COLOUR_TYPES = {1: 0, 3: 2}
"""The colour type in IHDR by number of channels: grayscale and RGB (W3C PNG, 11.2.1)."""


def encode_png(picture: Picture) -> bytes:
    """Encode a picture, uint8 (H, W, 1 or 3), as PNG."""
    height, width, channels = picture.shape
    values = picture.reshape(height, width * channels)
    rows = np.empty((height, width * channels + 1), np.uint8)
    rows[:, 0] = UP
    rows[0, 1:] = values[0]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    body = isal_zlib.compress(rows, 1)
    return b"".join(
        (SIGNATURE, *_chunk(b"IHDR", header), *_chunk(b"IDAT", body), *_chunk(b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    checksum = isal_zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)
