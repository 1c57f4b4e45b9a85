"""Layer inspection: statistics and pictures of all channels of a layer.

A picture shows a page of channels in a grid. Each channel is in 8 bits over its own range, so
a viewer can show channels over a common range or their own ranges, in any colours. The code
handles a channel at a time, so that data stays in the processor's cache and a large layer is
never copied.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.build import GraphNetwork
from models.definitions.receptive_field import ReceptiveField, receptive_fields

PAGE = 64
"""Channels on a page. For weights: output channels as well as input channels."""
MAX_WIDTH = 2560
"""Width of a page in pixels from which its channels are shrunk."""
ZERO_GRAY = 128
"""The grey value of a weight of zero."""
BINS = 40
"""Bins of a histogram."""

Floats = NDArray[np.float32]
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Page:
    """A picture of `count` tiles of `width` x `height` in `columns` columns.

    The rest of the last row is empty.
    """

    first: int
    count: int
    columns: int
    width: int
    height: int
    picture: Gray


@contextmanager
def watch_layers(
    net: nn.Module, on_output: Callable[[str, nn.Module, Tensor], None]
) -> Iterator[None]:
    """Call `on_output(name, module, output)` for each leaf module as soon as it has run."""

    def report(name: str, module: nn.Module, output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            on_output(name, module, first)

    hooks = [
        module.register_forward_hook(
            lambda module, _, output, name=name: report(name, module, output)
        )
        for name, module in net.named_modules()
        if not any(module.children())
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def receptive_fields_of(net: nn.Module) -> dict[nn.Module, tuple[ReceptiveField, ReceptiveField]]:
    """The receptive field (rows, columns) of each layer of a graph; empty for other networks."""
    if not isinstance(net, GraphNetwork):
        return {}
    rows, columns = (receptive_fields(net.graph, axis) for axis in (0, 1))
    return {
        net.layer(node): (rows[node.name], columns[node.name])
        for node in net.graph.nodes
        if node.name in rows.keys() & columns
    }


def maps_of(output: Tensor) -> Tensor:
    """A layer's output for a single image as float32 (C, H, W) in main memory.

    A list of vectors becomes a single map.
    """
    maps = output[0] if len(output) == 1 else output
    if maps.dim() > 3:
        maps = maps.flatten(0, -3)
    while maps.dim() < 3:
        maps = maps[None]
    return maps.detach().float().cpu().contiguous()


class LayerValues:
    """Statistics and pictures of a layer's channels (C, H, W), or of any values as (1, N)."""

    def __init__(self, values: Tensor) -> None:
        self.channels: Floats = values.numpy()
        self.not_finite = 0
        measured = self._measure()
        if not np.isfinite(measured).all():
            finite = np.isfinite(self.channels)
            self.not_finite = int(finite.size - np.count_nonzero(finite))
            self.channels = np.where(finite, self.channels, np.float32(0))
            measured = self._measure()
        self.low, self.high, self._means, self._squares, self._zeros = measured

    def _measure(self) -> NDArray[np.float64]:
        """Per channel: minimum, maximum, mean, sum of squared deviations, number of zeros."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.array([_moments(channel.ravel()) for channel in self.channels], np.float64).T

    @property
    def dead(self) -> list[int]:
        """Channels that are zero everywhere."""
        return np.flatnonzero((self.low == 0) & (self.high == 0)).tolist()

    def statistics(self, bins: int = BINS) -> dict[str, Any]:
        """Mean, standard deviation, range, share of zeros and histogram of all values.

        Values that are not finite are counted, and treated as zero.
        """
        size, mean = self.channels[0].size, float(self._means.mean())
        variance = self._squares.sum() / self.channels.size + ((self._means - mean) ** 2).mean()
        low, high = float(self.low.min()), float(self.high.max())
        return {
            "mean": mean,
            "std": math.sqrt(variance),
            "min": low,
            "max": high,
            "zero_share": float(self._zeros.sum()) / (size * len(self.channels)),
            "not_finite": self.not_finite,
            "histogram": self._histogram(low, high, bins),
        }

    def of_channel(self, channel: int) -> dict[str, float]:
        size = self.channels[0].size
        return {
            "low": float(self.low[channel]),
            "high": float(self.high[channel]),
            "mean": float(self._means[channel]),
            "std": math.sqrt(self._squares[channel] / size),
            "zero_share": float(self._zeros[channel]) / size,
        }

    def _histogram(self, low: float, high: float, bins: int) -> dict[str, list[Any]]:
        if high <= low:  # A constant gets a range of width 1 around its value.
            low, high = low - 0.5, high + 0.5
        counts = np.zeros(bins + 1, np.int64)
        for channel in self.channels:
            positions = (channel.ravel() - np.float32(low)) * np.float32(bins / (high - low))
            counts += np.bincount(positions.astype(np.uint8), minlength=bins + 1)
        counts[-2] += counts[-1]  # The maximum belongs to the last bin.
        return {"counts": counts[:-1].tolist(), "edges": np.linspace(low, high, bins + 1).tolist()}

    def pages(self) -> Iterator[Page]:
        """All channels, page by page.

        Each uses its own range: 0 is its minimum, 255 its maximum.
        """
        height, width = self.channels.shape[1:]
        for first in range(0, len(self.channels), PAGE):
            count = min(PAGE, len(self.channels) - first)
            columns = math.ceil(math.sqrt(count))
            shrink = max(1.0, columns * width / MAX_WIDTH)
            size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
            tiles = (
                _gray(smaller(self.channels[index], size), *self._range(index))
                for index in range(first, first + count)
            )
            yield Page(first, count, columns, size[1], size[0], _grid(tiles, count, columns, size))

    def picture(self, channel: int) -> Gray:
        """A channel at full size."""
        return _gray(self.channels[channel], *self._range(channel))

    def _range(self, channel: int) -> tuple[float, float]:
        return float(self.low[channel]), float(self.high[channel])


def _moments(values: Floats) -> tuple[float, float, float, float, int]:
    mean = float(values.mean(dtype=np.float32))
    deviations = values - np.float32(mean)
    return (
        float(values.min()),
        float(values.max()),
        mean,
        float(np.dot(deviations, deviations)),
        int(np.count_nonzero(values == 0)),
    )


def _gray(values: Floats, low: float, high: float) -> Gray:
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled = values - np.float32(low)
    scaled *= np.float32(255 / (high - low))
    scaled += np.float32(0.5)
    gray: Gray = np.minimum(scaled, 255, out=scaled).astype(np.uint8)
    return gray


def smaller(values: Floats, size: tuple[int, int]) -> Floats:
    """Values (H, W) shrunk to a size by the mean of each area."""
    if values.shape == size:
        return values
    shrunk: Floats = F.interpolate(torch.from_numpy(values)[None, None], size, mode="area")[
        0, 0
    ].numpy()
    return shrunk


def _grid(tiles: Iterator[Gray], count: int, columns: int, size: tuple[int, int]) -> Gray:
    """A grid of tiles of equal size (height, width), row by row."""
    height, width = size
    picture = np.zeros((math.ceil(count / columns) * height, columns * width), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        picture[top : top + height, left : left + width] = tile
    return picture


def weights_of(module: nn.Module) -> Tensor | None:
    """The weights of a layer as (output, input, rows, columns).

    A single weight per channel becomes a kernel of 1x1. None for layers without weights.
    """
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or not 1 <= weight.dim() <= 4:
        return None
    kernels = weight.detach().float().cpu()
    if isinstance(module, nn.ConvTranspose2d):  # Of torch's shape (input, output of a group, ...).
        kernels = kernels.unflatten(0, (module.groups, -1)).transpose(1, 2).flatten(0, 1)
    shape = kernels.shape + (1,) * (4 - kernels.dim())
    return kernels.reshape(shape).contiguous()


@dataclass(frozen=True)
class Kernels:
    """A page of kernels: output channels as columns, input channels as rows.

    A single row or column is wrapped. `outputs` and `inputs`: (first channel, count).
    """

    outputs: tuple[int, int]
    inputs: tuple[int, int]
    page: Page


def kernel_pages(kernels: Tensor) -> Iterator[Kernels]:
    """Pages of all kernels (output, input, rows, columns), a pixel per weight.

    All kernels share a range so that they can be compared: zero is 128, the largest magnitude
    1 or 255.
    """
    values: Floats = kernels.numpy()
    reach = max(float(np.abs(values).max()), 1e-30)
    gray = np.rint(values * np.float32((ZERO_GRAY - 1) / reach) + ZERO_GRAY).astype(np.uint8)
    outputs, inputs, height, width = values.shape
    for output in range(0, outputs, PAGE):
        for input in range(0, inputs, PAGE):
            block = gray[output : output + PAGE, input : input + PAGE]
            across, down = block.shape[:2]
            columns = across if min(across, down) > 1 else math.ceil(math.sqrt(across * down))
            tiles = iter(block.transpose(1, 0, 2, 3).reshape(-1, height, width))
            picture = _grid(tiles, across * down, columns, (height, width))
            yield Kernels(
                (output, across),
                (input, down),
                Page(0, across * down, columns, width, height, picture),
            )


def strongest(values: Floats, spacing: tuple[int, int], limit: int = 9) -> list[tuple[int, int]]:
    """The places (row, column) of the greatest values of (H, W), without places of the minimum.

    They are at least `spacing` rows or columns apart.
    """
    remaining, low, places = values.copy(), values.min(), list[tuple[int, int]]()
    while len(places) < limit:
        row, column = (
            int(index) for index in np.unravel_index(remaining.argmax(), remaining.shape)
        )
        if remaining[row, column] <= low:
            break
        places.append((row, column))
        remaining[
            max(0, row - spacing[0] + 1) : row + spacing[0],
            max(0, column - spacing[1] + 1) : column + spacing[1],
        ] = low
    return places
