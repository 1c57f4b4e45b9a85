"""Seeing what each layer did: statistics, and pictures of all its channels.

A picture holds a page of channels side by side, each in 8 bits over its own range, so that whoever draws it can show them
over one range or each over its own, in any colours. Work is done one channel at a time: it stays in the processor's cache, and a
large layer is never there twice.
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
from models.tiles import Sight, sights

PAGE = 64
"""Channels on a page; of weights, output channels, and input channels, too."""
WIDEST = 2560
"""Pixels that a page may be wide, before its channels are shown smaller."""
ZERO = 128
"""The grey value of a weight of zero."""
BINS = 40

Floats = NDArray[np.float32]
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Page:
    """A picture of `count` tiles, each `width` x `height`, in rows of so many `columns`. What lies behind the last is empty."""

    first: int
    count: int
    columns: int
    width: int
    height: int
    picture: Gray


@contextmanager
def watch_layers(net: nn.Module, seen: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
    """Call `seen(name, module, output)` for each leaf module of the network as soon as it has run."""

    def hear(name: str, module: nn.Module, output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            seen(name, module, first)

    hooks = [
        module.register_forward_hook(
            lambda module, _, output, name=name: hear(name, module, output)
        )
        for name, module in net.named_modules()
        if not any(module.children())
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def sights_of(net: nn.Module) -> dict[nn.Module, tuple[Sight, Sight]]:
    """What each layer of a graph sees of the image, rows and columns; nothing is known of other networks."""
    if not isinstance(net, GraphNetwork):
        return {}
    rows, columns = (sights(net.graph, axis) for axis in (0, 1))
    return {
        net.layer(node): (rows[node.name], columns[node.name])
        for node in net.graph.nodes
        if node.name in rows.keys() & columns
    }


def maps_of(output: Tensor) -> Tensor:
    """What a layer made of one image as float32 (C, H, W) in the machine's memory. A list of vectors becomes one map."""
    one = output[0] if len(output) == 1 else output
    if one.dim() > 3:
        one = one.flatten(0, -3)
    while one.dim() < 3:
        one = one[None]
    return one.detach().float().cpu().contiguous()


class Seen:
    """The channels of a layer, (C, H, W), or any values as (1, N), and what is known of them as soon as they were looked at."""

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
        """Of each channel: its least and greatest value, mean, sum of squares about it, and number of zeros."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.array([_measured(channel.ravel()) for channel in self.channels], np.float64).T

    @property
    def dead(self) -> list[int]:
        """Channels that are zero everywhere."""
        return np.flatnonzero((self.low == 0) & (self.high == 0)).tolist()

    def statistics(self, bins: int = BINS) -> dict[str, Any]:
        """Mean, standard deviation, range, share of zeros and histogram of all values. Those that are no finite numbers are
        counted, and taken as zero."""
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
        if high <= low:  # A constant gets a range of width 1 around it.
            low, high = low - 0.5, high + 0.5
        counts = np.zeros(bins + 1, np.int64)
        for channel in self.channels:
            places = (channel.ravel() - np.float32(low)) * np.float32(bins / (high - low))
            counts += np.bincount(places.astype(np.uint8), minlength=bins + 1)
        counts[-2] += counts[-1]  # The greatest value of all belongs to the last bin.
        return {"counts": counts[:-1].tolist(), "edges": np.linspace(low, high, bins + 1).tolist()}

    def pages(self) -> Iterator[Page]:
        """All channels, page by page, each over its own range: 0 is its least value, 255 its greatest."""
        height, width = self.channels.shape[1:]
        for first in range(0, len(self.channels), PAGE):
            count = min(PAGE, len(self.channels) - first)
            columns = math.ceil(math.sqrt(count))
            shrink = max(1.0, columns * width / WIDEST)
            size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
            tiles = (
                _gray(smaller(self.channels[index], size), *self._range(index))
                for index in range(first, first + count)
            )
            yield Page(
                first, count, columns, size[1], size[0], _beside(tiles, count, columns, size)
            )

    def picture(self, channel: int) -> Gray:
        """One channel at its full size."""
        return _gray(self.channels[channel], *self._range(channel))

    def _range(self, channel: int) -> tuple[float, float]:
        return float(self.low[channel]), float(self.high[channel])


def _measured(values: Floats) -> tuple[float, float, float, float, int]:
    mean = float(values.mean(dtype=np.float32))
    about = values - np.float32(mean)
    return (
        float(values.min()),
        float(values.max()),
        mean,
        float(np.dot(about, about)),
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
    """(H, W) at another size, each pixel the mean of those in its place."""
    if values.shape == size:
        return values
    shrunk: Floats = F.interpolate(torch.from_numpy(values)[None, None], size, mode="area")[
        0, 0
    ].numpy()
    return shrunk


def _beside(tiles: Iterator[Gray], count: int, columns: int, size: tuple[int, int]) -> Gray:
    """Tiles of one size, row by row."""
    height, width = size
    whole = np.zeros((math.ceil(count / columns) * height, columns * width), np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * height, place % columns * width
        whole[top : top + height, left : left + width] = tile
    return whole


def weights_of(module: nn.Module) -> Tensor | None:
    """The weights of a layer as (output, input, rows, columns); those of one number a channel as kernels of a pixel."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or not 1 <= weight.dim() <= 4:
        return None
    kernels = weight.detach().float().cpu()
    if isinstance(module, nn.ConvTranspose2d):
        kernels = kernels.transpose(0, 1)
    shape = kernels.shape + (1,) * (4 - kernels.dim())
    return kernels.reshape(shape).contiguous()


@dataclass(frozen=True)
class Kernels:
    """A page of kernels: a column an output channel, a row an input channel. Where there is but one of either, its row is
    wrapped. `outputs` and `inputs`: the first, and how many."""

    outputs: tuple[int, int]
    inputs: tuple[int, int]
    page: Page


def kernel_pages(kernels: Tensor) -> Iterator[Kernels]:
    """All kernels of (output, input, rows, columns), a pixel a weight. Zero is 128, the largest of all 1 or 255: one range for
    all, so that they can be compared."""
    values: Floats = kernels.numpy()
    reach = max(float(np.abs(values).max()), 1e-30)
    gray = np.rint(values * np.float32((ZERO - 1) / reach) + ZERO).astype(np.uint8)
    outputs, inputs, height, width = values.shape
    for output in range(0, outputs, PAGE):
        for input in range(0, inputs, PAGE):
            block = gray[output : output + PAGE, input : input + PAGE]
            across, down = block.shape[:2]
            columns = across if min(across, down) > 1 else math.ceil(math.sqrt(across * down))
            tiles = iter(block.transpose(1, 0, 2, 3).reshape(-1, height, width))
            picture = _beside(tiles, across * down, columns, (height, width))
            yield Kernels(
                (output, across),
                (input, down),
                Page(0, across * down, columns, width, height, picture),
            )


def strongest(values: Floats, apart: tuple[int, int], most: int = 9) -> list[tuple[int, int]]:
    """The places (row, column) of the greatest values of (H, W), so many rows or columns apart; none that are its least."""
    left, low, found = values.copy(), values.min(), list[tuple[int, int]]()
    while len(found) < most:
        row, column = (int(place) for place in np.unravel_index(left.argmax(), left.shape))
        if left[row, column] <= low:
            break
        found.append((row, column))
        left[
            max(0, row - apart[0] + 1) : row + apart[0],
            max(0, column - apart[1] + 1) : column + apart[1],
        ] = low
    return found
