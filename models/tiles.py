"""Restoring an image of any size within a given memory: piece by piece, without a seam.

A tile is cut with as much around it as the network sees, and only its middle is kept. At the image's edges nothing is added,
so that a layer's padding lies where it lies for the whole image, and nowhere else in what is kept. How far a network sees is
known of a graph; any other module is given the whole image: what it sees could be all of it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import psutil
import torch
from torch import Tensor, nn

from models.definitions.graph import INPUT, Conv, Crop, Graph, Node, Op, Pool, Shape
from models.restorer import Restorer, channels_seen

SHARE = 0.5
"""Of the memory that is free."""
SIDE = 4096
"""Pixels that a tile is wide and high at most: convolutions count in 32 bits inside."""
LARGEST = 2**31
"""Values that one layer puts out at most, for the same reason."""
QUICK = 48 * 2**20
"""Bytes for the layers of a tile that a processor is quickest with: it gets memory back that it has had, in place of pages that
the system must clear first (SRCNN 9-1-5 on 1920x1080: 0.5 s in place of 1.3 s)."""
MOST_TWICE = 1.5
"""How many times as many pixels as the image has such tiles may compute."""
SPARE = 2
"""Convolutions copy what they read and write into an order of their own."""
PROBED = 96
"""Side of the image that a module which is no graph is measured with."""


class TooLarge(Exception):
    """An image that cannot be restored within the memory: the text says what to do."""


@dataclass(frozen=True)
class Reach:
    """Rows or columns that an output sees before its own place and behind it; tiles begin at multiples of `step`."""

    before: int
    behind: int
    step: int = 1


@dataclass(frozen=True)
class Window:
    """Along one side of the image: what the network is given, and what is kept of it."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Tiling:
    """The windows of the rows and of the columns; each with each is a tile."""

    rows: tuple[Window, ...]
    columns: tuple[Window, ...]

    def __iter__(self) -> Iterator[tuple[Window, Window]]:
        return ((row, column) for row in self.rows for column in self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    @property
    def pixels(self) -> int:
        """That are computed: those that tiles share count more than once."""
        return sum(row.end - row.start for row in self.rows) * sum(
            column.end - column.start for column in self.columns
        )


def restore(restorer: Restorer, image: Tensor, limit: int | None = None) -> Tensor:
    """What `restorer` (in eval) makes of images (N, C, H, W), computed on its own device: uint8 in 0 to 255, or
    float32 in 0 to 1. The output is float32, where the image is, and equal to that of the whole image within rounding (1e-6).

    `limit`: bytes that layers may take at a time, by estimate; a share of what is free where it is not given. Image and
    output come on top. Raises TooLarge.
    """
    return run(
        restorer,
        image,
        plan(restorer, image.shape, free_memory(device_of(restorer)) if limit is None else limit),
    )


@torch.inference_mode()
def run(restorer: Restorer, image: Tensor, tiling: Tiling) -> Tensor:
    """As `restore`, by a plan that was made before."""
    device = device_of(restorer)
    return in_tiles(lambda tile: restorer(_unit(tile.to(device))).to(image.device), image, tiling)


def device_of(restorer: Restorer) -> torch.device:
    return next((weights.device for weights in restorer.parameters()), torch.device("cpu"))


def _unit(image: Tensor) -> Tensor:
    return image / 255 if image.dtype == torch.uint8 else image


def free_memory(device: torch.device) -> int:
    """Bytes that a network may take there: a share of what is free."""
    free = (
        torch.cuda.mem_get_info(device)[0]
        if device.type == "cuda"
        else psutil.virtual_memory().available
    )
    return int(SHARE * free)


def plan(restorer: Restorer, shape: torch.Size | tuple[int, ...], limit: int) -> Tiling:
    """Tiles of images (N, C, H, W) whose layers take `limit` bytes: the largest, or on the processor those that are quickest.

    Raises TooLarge."""
    number, channels, height, width = shape
    reaches, bytes = _reaches(restorer.net), bytes_a_pixel(restorer, channels)
    if reaches is not None and device_of(restorer).type == "cpu":
        quick = _cut(height, width, min(limit, QUICK) / bytes / number, reaches)
        if 0 < quick.pixels <= MOST_TWICE * height * width:
            return quick
    most = min(limit / bytes, LARGEST / widest(restorer, channels)) / number
    if height * width <= most and (max(height, width) <= SIDE or reaches is None):
        return Tiling(_whole(height), _whole(width))
    if reaches is None:
        raise TooLarge(
            f"An image of {width}x{height} would take about {height * width * number * bytes / 2**20:,.0f} MiB in this network, "
            f"and {limit / 2**20:,.0f} MiB may be taken. It cannot be cut into tiles: how far the network sees is not known. "
            "Give a smaller image, or a machine with more memory."
        )
    tiling = _cut(height, width, most, reaches)
    if not len(tiling):
        least = [reach.before + reach.behind + reach.step for reach in reaches]
        raise TooLarge(
            f"The network sees {least[0]}x{least[1]} pixels for each one, and {limit / 2**20:,.1f} MiB are too little for that "
            f"with {number} image{'s' * (number > 1)} at a time. Allow more memory, or give fewer images at a time."
        )
    return tiling


def _cut(height: int, width: int, most: float, reaches: tuple[Reach, Reach]) -> Tiling:
    """Tiles of at most so many pixels; none where that is too little for the reaches."""
    side = min(math.isqrt(int(most)), SIDE)
    # A side that is short leaves its memory to the other one.
    rows = min(height, side if width > side else int(most / width))
    columns = min(width, SIDE, int(most / max(rows, 1)))
    return Tiling(windows(height, min(rows, SIDE), reaches[0]), windows(width, columns, reaches[1]))


def in_tiles(function: Callable[[Tensor], Tensor], image: Tensor, tiling: Tiling) -> Tensor:
    """What the function makes of (N, C, H, W), tile by tile.

    Raises TooLarge where its output is not of its input's size."""
    height, width = image.shape[-2:]
    if len(tiling) == 1:
        return _same_size(function(image), image)
    whole: Tensor | None = None
    for row, column in tiling:
        tile = image[..., row.start : row.end, column.start : column.end]
        output = _same_size(function(tile), tile)
        if whole is None:
            whole = torch.empty(
                *output.shape[:2], height, width, dtype=output.dtype, device=image.device
            )
        kept = output[
            ...,
            row.first - row.start : row.last - row.start,
            column.first - column.start : column.last - column.start,
        ]
        whole[..., row.first : row.last, column.first : column.last] = kept
    assert whole is not None
    return whole


def _same_size(output: Tensor, tile: Tensor) -> Tensor:
    if output.shape[-2:] != tile.shape[-2:]:
        (height, width), (high, wide) = output.shape[-2:], tile.shape[-2:]
        raise TooLarge(
            f"The network makes {width}x{height} of an image of {wide}x{high}: it must give an image of equal size. "
            "Look at its pads and strides."
        )
    return output


def _whole(size: int) -> tuple[Window, ...]:
    return (Window(0, size, 0, size),)


def windows(size: int, most: int, reach: Reach) -> tuple[Window, ...]:
    """The windows of one side, at most `most` long, which keep each place once; none where that is too little for the reach.

    As few as can be, and of one length, so that they are computed in one way and little of them twice."""
    if size <= most:
        return _whole(size)
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


@dataclass(frozen=True)
class Sight:
    """Place p of a node sees the image from jump p + low to jump p + high, along one side."""

    jump: Fraction
    low: Fraction
    high: Fraction


def reach_of(graph: Graph) -> tuple[Reach, Reach] | None:
    """Of the rows and of the columns; None where the graph's places are not those of the image."""
    rows, columns = _reach(graph, 0), _reach(graph, 1)
    return (rows, columns) if rows and columns else None


def _reach(graph: Graph, axis: int) -> Reach | None:
    seen = sights(graph, axis)
    if len(seen) <= len(graph.nodes) or seen[graph.output].jump != 1:
        return None
    output, step = seen[graph.output], math.lcm(*(one.jump.numerator for one in seen.values()))
    return Reach(max(0, math.ceil(-output.low)), max(0, math.ceil(output.high)), step)


def sights(graph: Graph, axis: int) -> dict[str, Sight]:
    """What each node sees, along one side; without those of which it is not known."""
    seen = {INPUT: Sight(Fraction(1), Fraction(0), Fraction(0))}
    for node in graph.nodes:
        found = (
            _see(node, [seen[name] for name in node.inputs], axis)
            if seen.keys() >= set(node.inputs)
            else None
        )
        if found is not None:
            seen[node.name] = found
    return seen


def _see(node: Node, inputs: list[Sight], axis: int) -> Sight | None:
    op = node.op
    if isinstance(op, Crop):
        # The second input says the size alone.
        first, offset = inputs[0], inputs[0].jump * op.offset[axis]
        return Sight(first.jump, first.low + offset, first.high + offset)
    if len({one.jump for one in inputs}) > 1:
        return None
    jump, low, high = (
        inputs[0].jump,
        min(one.low for one in inputs),
        max(one.high for one in inputs),
    )
    if not isinstance(op, Conv | Pool):
        return Sight(jump, low, high)
    span, pad = _span(op, axis), op.pad[axis]
    if isinstance(op, Conv) and op.transposed:
        fine = jump / op.stride[axis]
        return Sight(fine, low + fine * (pad - span), high + fine * pad)
    stride = op.stride[axis] if isinstance(op, Conv) else 1
    return Sight(jump * stride, low - jump * pad, high + jump * (span - pad))


def _span(op: Conv | Pool, axis: int) -> int:
    return (op.kernel[axis] - 1) * (op.dilation[axis] if isinstance(op, Conv) else 1)


def bytes_a_pixel(restorer: Restorer, channels: int) -> float:
    """What the layers take at their peak for each pixel of an image with so many channels: those values that are still needed,
    and what a convolution copies; and the image in the colours of both ends."""
    seen, graph = channels_seen(restorer.channels, channels), getattr(restorer.net, "graph", None)
    values = _live(graph) if isinstance(graph, Graph) else float(sum(_measured(restorer.net, seen)))
    return 4.0 * (values + 3 * channels + 2 * seen)


def widest(restorer: Restorer, channels: int) -> float:
    """Values a pixel of the layer that puts out most."""
    graph, seen = getattr(restorer.net, "graph", None), channels_seen(restorer.channels, channels)
    if isinstance(graph, Graph):
        return max(_values(shape) for shape in graph.shapes(240, 240).values()) / 240**2
    return max(_measured(restorer.net, seen))


def _values(shape: Shape) -> int:
    return shape.channels * shape.height * shape.width


def _live(graph: Graph) -> float:
    """Values a pixel at the peak, as models.build runs the layers: one after another, each value until its last use."""
    side = 240  # Divisible by the usual strides.
    sizes = {name: _values(shape) for name, shape in graph.shapes(side, side).items()}
    last_use = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs}
    peak, live = 0, {INPUT: sizes[INPUT]}
    for number, node in enumerate(graph.nodes):
        live[node.name] = sizes[node.name]
        inputs = sum(sizes[name] for name in set(node.inputs))
        peak = max(
            peak, sum(live.values()) + (SPARE - 1) * (inputs + sizes[node.name]) * _copies(node.op)
        )
        live = {
            name: size
            for name, size in live.items()
            if last_use.get(name, -1) > number or name == graph.output
        }
        live.setdefault(node.name, sizes[node.name])
    return peak / side**2


def _copies(op: Op) -> bool:
    return isinstance(op, Conv)


def _measured(net: nn.Module, seen: int) -> list[float]:
    """Values a pixel of each module of a network, and of the image: as if all were kept."""
    found = [float(seen)]

    def note(module: nn.Module, given: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.append(output.numel() / PROBED**2)

    hooks = [
        module.register_forward_hook(note) for module in net.modules() if not any(module.children())
    ]
    weights = next(net.parameters(), None)
    try:
        with torch.inference_mode():
            net(
                torch.zeros(
                    1, seen, PROBED, PROBED, device=weights.device if weights is not None else None
                )
            )
    finally:
        for hook in hooks:
            hook.remove()
    return found
