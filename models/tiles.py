"""Tiled restoration: images of any size within a memory limit, without seams.

A tile includes the receptive field around the part that is kept. Nothing is added at the
image's edges, so a layer's padding affects the kept part only where it affects the whole
image. The receptive field is known for a graph. Any other module gets the whole image,
because its receptive field could be all of it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.definitions.graph import Graph
from models.definitions.receptive_field import Reach, reach_of
from models.memory import bytes_per_pixel, free_memory, widest
from models.restorer import Restorer

MIN_BYTES = 2**20
"""A GPU with less memory than this for a tile's layers is full."""
MAX_SIDE = 4096
"""Maximum width and height of a tile in pixels: convolutions use 32-bit indices."""
MAX_VALUES = 2**31
"""Maximum number of values in a layer's output, for the same reason."""
FAST_BYTES = 48 * 2**20
"""Fastest size of a tile's layers on a CPU, in bytes.

The process then reuses memory instead of getting pages that the system must clear first (SRCNN
9-1-5 on 1920x1080: 0.5 s instead of 1.3 s).
"""
MAX_OVERHEAD = 1.5
"""Limit for the pixels that such tiles compute, as a multiple of the image's pixels."""


class TooLarge(Exception):
    """The image cannot be restored within the memory limit. The message says what to do."""


@dataclass(frozen=True)
class Window:
    """A range of a side of the image: `start` to `end` is input, `first` to `last` is kept."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Tiling:
    """The windows of rows and columns. Each combination is a tile."""

    rows: tuple[Window, ...]
    columns: tuple[Window, ...]

    def __iter__(self) -> Iterator[tuple[Window, Window]]:
        return ((row, column) for row in self.rows for column in self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    @property
    def pixels(self) -> int:
        """Computed pixels. Pixels that tiles share count more than once."""
        return sum(row.end - row.start for row in self.rows) * sum(
            column.end - column.start for column in self.columns
        )


def restore(restorer: Restorer, image: Tensor, limit: int | None = None) -> Tensor:
    """Restore images (N, C, H, W) in tiles, on the restorer's device.

    Images are uint8 in 0 to 255 or float32 in 0 to 1; a QP plane holds 5 QP or QP / 51. The
    restorer must be in eval mode. The output is float32 on the image's device, and equals that of
    the whole image within rounding (1e-6).
    `limit`: estimated bytes that layers may take at a time, by default a share of the free
    memory. Image and output come on top. If a GPU has less memory after all, the tiles become
    smaller. Raises TooLarge.
    """
    limit = free_memory(device_of(restorer)) if limit is None else limit
    return smaller_until_it_fits(
        lambda limit: run(restorer, image, plan(restorer, image.shape, limit)), limit
    )


def smaller_until_it_fits(work: Callable[[int], Tensor], limit: int) -> Tensor:
    """The result of `work(limit)`; where a GPU's memory is too small, with half the limit.

    Raises TooLarge where the limit becomes too small for any tile, as `work` does.
    """
    while True:
        try:
            return work(limit)
        except torch.OutOfMemoryError:
            limit //= 2  # The next try is outside: the error refers to all intermediate results.
        torch.cuda.empty_cache()
        if limit < MIN_BYTES:
            raise TooLarge(
                "The GPU's memory is full: other programs or jobs use it. "
                "Wait for them to finish, or use a smaller image."
            )


@torch.inference_mode()
def run(restorer: Restorer, image: Tensor, tiling: Tiling) -> Tensor:
    """As `restore`, with a given plan."""
    device = device_of(restorer)
    return in_tiles(lambda tile: restorer(unit(tile.to(device))).to(image.device), image, tiling)


def device_of(restorer: Restorer) -> torch.device:
    return next((weights.device for weights in restorer.parameters()), torch.device("cpu"))


def unit(image: Tensor) -> Tensor:
    """An image, uint8 or float32 in 0 to 1, in 0 to 1."""
    return image / 255 if image.dtype == torch.uint8 else image


def plan(restorer: Restorer, shape: torch.Size | tuple[int, ...], limit: int) -> Tiling:
    """Tiles for images (N, C, H, W) whose layers take at most `limit` bytes.

    The tiles have the largest possible size, or on a CPU the fastest. Raises TooLarge.
    """
    number, channels, height, width = shape
    reaches, bytes = _reaches(restorer.net), bytes_per_pixel(restorer, channels)
    if reaches is not None and device_of(restorer).type == "cpu":
        fast = _cut(height, width, min(limit, FAST_BYTES) / bytes / number, reaches)
        if 0 < fast.pixels <= MAX_OVERHEAD * height * width:
            return fast
    return largest(restorer, shape, limit)


def can_tile(restorer: Restorer) -> bool:
    """Whether the receptive field is known."""
    return _reaches(restorer.net) is not None


def whole(shape: torch.Size | tuple[int, ...]) -> Tiling:
    """An image (N, C, H, W) as one tile."""
    return Tiling(_single_window(shape[-2]), _single_window(shape[-1]))


def largest(restorer: Restorer, shape: torch.Size | tuple[int, ...], limit: int) -> Tiling:
    """As `plan`, but the largest tiles on a CPU too: the whole image where it fits."""
    number, channels, height, width = shape
    reaches, bytes = _reaches(restorer.net), bytes_per_pixel(restorer, channels)
    most = min(limit / bytes, MAX_VALUES / widest(restorer, channels)) / number
    if height * width <= most and (max(height, width) <= MAX_SIDE or reaches is None):
        return whole(shape)
    if reaches is None:
        raise TooLarge(
            f"An image of {width}×{height} would take about "
            f"{height * width * number * bytes / 2**20:,.0f} MiB in this network, "
            f"but the limit is {limit / 2**20:,.0f} MiB. "
            "It cannot be cut into tiles: the network's receptive field is unknown. "
            "Use a smaller image, or a machine with more memory."
        )
    tiling = _cut(height, width, most, reaches)
    if not len(tiling):
        least = [reach.before + reach.behind + reach.step for reach in reaches]
        raise TooLarge(
            f"A tile of this network needs at least {least[0]}×{least[1]} pixels. "
            f"{limit / 2**20:,.1f} MiB are too little for that "
            f"with {number} image{'s' * (number > 1)} at a time. "
            "Allow more memory, or use fewer images at a time."
        )
    return tiling


def _cut(height: int, width: int, most: float, reaches: tuple[Reach, Reach]) -> Tiling:
    """Tiles of at most `most` pixels; no tiles if that is too little for the reaches."""
    side = min(math.isqrt(int(most)), MAX_SIDE)
    # A short side leaves its share of the memory to the other side.
    rows = min(height, side if width > side else int(most / width))
    columns = min(width, MAX_SIDE, int(most / max(rows, 1)))
    return Tiling(
        windows(height, min(rows, MAX_SIDE), reaches[0]), windows(width, columns, reaches[1])
    )


def in_tiles(function: Callable[[Tensor], Tensor], image: Tensor, tiling: Tiling) -> Tensor:
    """Apply a function to images (N, C, H, W), tile by tile.

    Raises TooLarge if an output differs from its input in size.
    """
    height, width = image.shape[-2:]
    if len(tiling) == 1:
        return _same_size(function(image), image)
    result: Tensor | None = None
    for row, column in tiling:
        tile = image[..., row.start : row.end, column.start : column.end]
        output = _same_size(function(tile), tile)
        if result is None:
            result = torch.empty(
                *output.shape[:2], height, width, dtype=output.dtype, device=image.device
            )
        kept = output[
            ...,
            row.first - row.start : row.last - row.start,
            column.first - column.start : column.last - column.start,
        ]
        result[..., row.first : row.last, column.first : column.last] = kept
    assert result is not None
    return result


def _same_size(output: Tensor, tile: Tensor) -> Tensor:
    if output.shape[-2:] != tile.shape[-2:]:
        (height, width), (high, wide) = output.shape[-2:], tile.shape[-2:]
        raise TooLarge(
            f"The network turns an image of {wide}×{high} into {width}×{height}: "
            "the sizes must be equal. Check its pads and strides."
        )
    return output


def _single_window(size: int) -> tuple[Window, ...]:
    return (Window(0, size, 0, size),)


def windows(size: int, most: int, reach: Reach) -> tuple[Window, ...]:
    """The windows of a side, at most `most` long, that keep each place once.

    As few as possible and of equal length, so that they run alike and little is computed twice.
    None if `most` is too short for the reach.
    """
    if size <= most:
        return _single_window(size)
    step = reach.step
    before, behind = (math.ceil(part / step) * step for part in (reach.before, reach.behind))
    overlap, most = before + behind, most // step * step
    if most <= overlap:
        return ()
    number = math.ceil((size - overlap) / (most - overlap))
    length = math.ceil((size + (number - 1) * overlap) / number / step) * step
    last = (size - length) // step * step
    starts = sorted({min(place * (length - overlap), last) for place in range(number)})
    borders = [0, *(start + before for start in starts[1:]), size]
    ends = [*(start + length for start in starts[:-1]), size]
    return tuple(map(Window, starts, ends, borders, borders[1:]))


def _reaches(net: nn.Module) -> tuple[Reach, Reach] | None:
    graph = getattr(net, "graph", None)
    return reach_of(graph) if isinstance(graph, Graph) else None
