"""The part of an image of which all layers fit into the memory: tiles would not do, where every layer is to be seen whole."""

import math
from dataclasses import dataclass

import torch

from models.restorer import Restorer
from models.tiles import LARGEST, SIDE, bytes_a_pixel, widest

LEAST = 64
"""Rows and columns that are taken whatever the estimate says."""


@dataclass(frozen=True)
class Part:
    """Of an image; `bytes` is what the layers of the whole image would take."""

    left: int
    top: int
    width: int
    height: int
    bytes: int


def middle(restorer: Restorer, shape: torch.Size | tuple[int, ...], limit: int) -> Part | None:
    """The largest part in the middle of an image (C, H, W), of its shape, whose layers take `limit` bytes; None where that
    is all of it."""
    channels, height, width = shape
    a_pixel = bytes_a_pixel(restorer, channels)
    most = min(limit / a_pixel, LARGEST / widest(restorer, channels))
    if height * width <= most and max(height, width) <= SIDE:
        return None
    shrink = min(1.0, math.sqrt(most / (height * width)))
    rows, columns = (min(side, SIDE, max(LEAST, int(side * shrink))) for side in (height, width))
    return Part(
        (width - columns) // 2, (height - rows) // 2, columns, rows, int(height * width * a_pixel)
    )
