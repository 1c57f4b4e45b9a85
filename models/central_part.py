"""The largest central part of an image whose layers all fit into memory.

Layer inspection shows each layer as a whole, so it cannot process the image in tiles.
"""

import math
from dataclasses import dataclass

import torch

from models.memory import bytes_per_pixel, widest
from models.restorer import Restorer
from models.tiles import MAX_SIDE, MAX_VALUES

MIN_SIDE = 64
"""Rows and columns that a part has at least, whatever the memory estimate is."""


@dataclass(frozen=True)
class Part:
    """A part of an image. `bytes`: memory that the layers of the whole image would take."""

    left: int
    top: int
    width: int
    height: int
    bytes: int


def middle(restorer: Restorer, shape: torch.Size | tuple[int, ...], limit: int) -> Part | None:
    """The largest central part of an image (C, H, W) whose layers take at most `limit` bytes.

    It has the aspect ratio of the image. None if the whole image fits.
    """
    channels, height, width = shape
    per_pixel = bytes_per_pixel(restorer, channels)
    most = min(limit / per_pixel, MAX_VALUES / widest(restorer, channels))
    if height * width <= most and max(height, width) <= MAX_SIDE:
        return None
    shrink = min(1.0, math.sqrt(most / (height * width)))
    rows, columns = (
        min(side, MAX_SIDE, max(MIN_SIDE, int(side * shrink))) for side in (height, width)
    )
    return Part(
        (width - columns) // 2, (height - rows) // 2, columns, rows, int(height * width * per_pixel)
    )
