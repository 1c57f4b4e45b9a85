"""A network as a graph of layers, without torch: enough to draw, count and check it.

Every network of Clearframe is such a graph: those of `models.definitions.networks` as well as
networks pasted as text. `models.build` makes the torch module. The node INPUT is the image. A
layer may also have the input QP: one channel with the quantiser of the codec at each pixel.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

INPUT = "input"
QP = "qp"
"""QP / 51 at each pixel, 0 to 1; 0 where it is unknown."""

Pair = tuple[int, int]
"""(rows, columns)"""


@dataclass(frozen=True)
class Filler:
    """The initial values of weights.

    xavier: uniform, variance 1/fan-in (Glorot and Bengio 2010, as Caffe has it); msra: normal,
    variance 2/fan-in (He et al. 2015); gaussian: normal, standard deviation `value`; uniform:
    from `low` to `value`; constant: `value`; bilinear: interpolation, for transposed
    convolutions.
    """

    kind: Literal["xavier", "msra", "gaussian", "uniform", "constant", "bilinear"] = "msra"
    value: float = 0.0
    low: float = 0.0


ZEROS = Filler("constant")


@dataclass(frozen=True)
class Conv:
    """A convolution, or with `transposed` a transposed convolution.

    `rate` and `decay` multiply the learning rate and the weight decay of (weights, biases), as
    Caffe's lr_mult and decay_mult do. `branches`: train a 3x3 convolution as the sum of several
    (models/branches.py).
    """

    maps: int
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    transposed: bool = False
    branches: bool = False
    weights: Filler = Filler()
    biases: Filler = ZEROS
    rate: tuple[float, float] = (1.0, 1.0)
    decay: tuple[float, float] = (1.0, 1.0)

    @property
    def keeps_size(self) -> bool:
        """Whether the kernel of each output pixel is centred on the input pixel at its place."""
        spans = zip(self.kernel, self.pad, self.dilation, strict=True)
        return self.stride == (1, 1) and all(
            (kernel - 1) * dilation == 2 * pad for kernel, pad, dilation in spans
        )


@dataclass(frozen=True)
class Activation:
    """`slope`: factor below zero of relu (0), alpha of elu, initial slope of prelu.

    `rate`, `decay`: as those of Conv, for the slopes of a prelu. `per_channel`: whether each
    channel has a slope of its own.
    """

    kind: Literal["relu", "prelu", "sigmoid", "tanh", "elu"]
    slope: float = 0.0
    rate: float = 1.0
    decay: float = 1.0
    per_channel: bool = True


@dataclass(frozen=True)
class Pool:
    kind: Literal["max", "average"]
    kernel: Pair
    pad: Pair = (0, 0)


@dataclass(frozen=True)
class BatchNorm:
    """Normalisation over the batch.

    `affine`: with a learned factor and summand per channel, for which Caffe needs a Scale layer.
    """

    epsilon: float = 1e-5
    affine: bool = True


@dataclass(frozen=True)
class Scale:
    """A learned factor per channel, with `bias` a summand too. `rate`, `decay`: as in Conv."""

    bias: bool = False
    start: float = 1.0
    rate: tuple[float, float] = (1.0, 1.0)
    decay: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Combine:
    """Elementwise combination of inputs. `factors`: of a sum, one per input."""

    kind: Literal["sum", "product", "max"] = "sum"
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class Concat:
    """Concatenation of the inputs' channels."""


@dataclass(frozen=True)
class Power:
    """(shift + scale x) ^ power"""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class Dropout:
    ratio: float = 0.5


@dataclass(frozen=True)
class Crop:
    """The first input, cropped to the height and width of the second."""

    offset: Pair = (0, 0)


@dataclass(frozen=True)
class Take:
    """The channels from `first` up to, not including, `end`."""

    first: int
    end: int


Op = Conv | Activation | Pool | BatchNorm | Scale | Combine | Concat | Power | Dropout | Crop | Take


@dataclass(frozen=True)
class Node:
    """A layer: an operation on the outputs of other nodes. `line`: its line in the pasted text.

    `shared`: for each of its learned blobs (weights, biases) a name, which the nodes that share
    the blob have in common; "" for a blob of its own.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    line: int | None = None
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """Shape of a node's output for a single image."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class GraphError(Exception):
    """An invalid network. `line`: the line of the error, for networks that come from a text."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order. `output`: name of the node that puts out the restored image.

    `channels`: of the image. The output must have as many.
    """

    nodes: tuple[Node, ...]
    output: str
    channels: int

    @property
    def takes_qp(self) -> bool:
        """Whether a layer has the input QP. A node of that name takes precedence."""
        return any(QP in node.inputs for node in self.nodes) and all(
            node.name != QP for node in self.nodes
        )

    @property
    def planes(self) -> int:
        """The channels of the image, and one for the QP if the network takes it."""
        return self.channels + self.takes_qp

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of inputs that are not nodes."""
        return (INPUT, QP) if self.takes_qp else (INPUT,)

    def shapes(
        self, height: int = 64, width: int = 64, known: dict[str, Shape] | None = None
    ) -> dict[str, Shape]:
        """The output shape of each node for an image of that size.

        `known`: shapes of nodes that precede this graph's. Raises GraphError for a layer that
        cannot take its inputs.
        """
        shapes = dict(known or {INPUT: Shape(self.channels, height, width)})
        if self.takes_qp:
            shapes.setdefault(QP, Shape(1, height, width))
        for node in self.nodes:
            shapes[node.name] = _shape(node, [shapes[name] for name in node.inputs])
        return shapes

    def check(self) -> None:
        """Raises GraphError unless the output has the size and channels of any image.

        Nodes that share a blob must have it in the same shape.
        """
        self._check_shared()
        for height, width in ((64, 64), (37, 53)):
            output, image = (
                self.shapes(height, width)[self.output],
                Shape(self.channels, height, width),
            )
            if output != image:
                line = next((node.line for node in self.nodes if node.name == self.output), None)
                raise GraphError(
                    f"The output, “{self.output}”, is {output} for an image of {image}: "
                    "both must have equal size, for images of any size. "
                    "Check pads, strides and the maps of the last layer.",
                    line,
                )

    def _check_shared(self) -> None:
        shapes, first = self.shapes(), dict[str, tuple[str, tuple[int, ...]]]()
        for node in self.nodes:
            blobs = learned_blobs(node.op, self.inputs_of(node, shapes))
            for name, blob in zip(node.shared, blobs, strict=False):
                owner, shape = first.setdefault(name, (node.name, blob)) if name else ("", blob)
                if shape != blob:
                    raise GraphError(
                        f"“{node.name}” shares “{name}” with “{owner}”, but has it as {blob} "
                        f"instead of {shape}: give both equal kernels, maps and inputs",
                        node.line,
                    )

    def inputs_of(self, node: Node, shapes: dict[str, Shape]) -> int:
        """The input channels of a node's weights: those of its first input."""
        return shapes[node.inputs[0]].channels

    def parameters(self) -> dict[str, int]:
        """The number of learned parameters of each node. Shared ones count once, at the first."""
        shapes, seen, counts = self.shapes(), set[str](), dict[str, int]()
        for node in self.nodes:
            blobs = learned_blobs(node.op, self.inputs_of(node, shapes))
            names = (*node.shared, *("" for _ in blobs))
            counts[node.name] = sum(
                math.prod(blob)
                for name, blob in zip(names, blobs, strict=False)
                if name not in seen
            )
            seen |= set(node.shared) - {""}
        return counts

    def multiply_adds(self) -> float:
        """Multiply-adds of all convolutions per pixel of the image."""
        side = 240  # Divisible by the usual strides.
        shapes = self.shapes(side, side)
        total = 0
        for node in self.nodes:
            if isinstance(node.op, Conv):
                grid = shapes[node.inputs[0] if node.op.transposed else node.name]
                total += _weights(node.op, self.inputs_of(node, shapes)) * grid.height * grid.width
        return total / side**2

    def receptive_field(self) -> Pair:
        """(rows, columns) of the image that an output pixel depends on."""
        fields = {name: _ReceptiveField((1.0, 1.0), (1.0, 1.0)) for name in self.sources}
        for node in self.nodes:
            # The second input of a crop sets only the size.
            inputs = node.inputs[:1] if isinstance(node.op, Crop) else node.inputs
            fields[node.name] = _field(node.op, [fields[name] for name in inputs])
        rows, columns = fields[self.output].size
        return math.ceil(rows), math.ceil(columns)


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    """The output shape of a node. Raises GraphError if its layer cannot take these inputs."""
    match node.op:
        case Conv() as op:
            return _shape_of_conv(node, op, inputs[0])
        case Pool() as op:
            return _shape_of_pool(node, op, inputs[0])
        case Combine():
            return _shape_of_combined(node, inputs)
        case Concat():
            return _shape_of_joined(node, inputs)
        case Crop() as op:
            return _shape_of_crop(node, op, inputs[0], inputs[1])
        case Take() as op:
            return _shape_of_channels(node, op, inputs[0])
        case _:
            return inputs[0]


def _shape_of_conv(node: Node, op: Conv, given: Shape) -> Shape:
    if given.channels % op.groups or op.maps % op.groups:
        raise GraphError(
            f"“{node.name}” has {op.groups} groups, "
            f"but {given.channels} inputs and {op.maps} maps: "
            "the groups must divide both",
            node.line,
        )
    return _positive(node, Shape(op.maps, *_sides(op, given)), given)


def _shape_of_pool(node: Node, op: Pool, given: Shape) -> Shape:
    rows, columns = (
        side + 2 * pad - kernel + 1
        for side, pad, kernel in zip((given.height, given.width), op.pad, op.kernel, strict=True)
    )
    return _positive(node, Shape(given.channels, rows, columns), given)


def _shape_of_combined(node: Node, inputs: list[Shape]) -> Shape:
    first = inputs[0]
    for name, other in zip(node.inputs[1:], inputs[1:], strict=True):
        if other != first:
            raise GraphError(
                f"“{node.name}” combines “{node.inputs[0]}” of {first} "
                f"with “{name}” of {other}: their shapes must be equal",
                node.line,
            )
    return first


def _shape_of_joined(node: Node, inputs: list[Shape]) -> Shape:
    first = inputs[0]
    for name, other in zip(node.inputs[1:], inputs[1:], strict=True):
        if (other.height, other.width) != (first.height, first.width):
            raise GraphError(
                f"“{node.name}” joins “{node.inputs[0]}” of {first} "
                f"with “{name}” of {other}: their sizes must be equal",
                node.line,
            )
    return Shape(sum(shape.channels for shape in inputs), first.height, first.width)


def _shape_of_crop(node: Node, op: Crop, given: Shape, size: Shape) -> Shape:
    rows, columns = op.offset[0] + size.height, op.offset[1] + size.width
    if rows > given.height or columns > given.width:
        raise GraphError(
            f"“{node.name}” cannot crop {size} at {op.offset} out of {given}: "
            "reduce the offset or the size",
            node.line,
        )
    return Shape(given.channels, size.height, size.width)


def _shape_of_channels(node: Node, op: Take, given: Shape) -> Shape:
    if not 0 <= op.first < op.end <= given.channels:
        raise GraphError(
            f"“{node.name}” takes the channels {op.first} to {op.end - 1} "
            f"of “{node.inputs[0]}”, which has {given.channels}",
            node.line,
        )
    return Shape(op.end - op.first, given.height, given.width)


def _sides(op: Conv, given: Shape) -> Iterator[int]:
    for axis, side in enumerate((given.height, given.width)):
        span = op.dilation[axis] * (op.kernel[axis] - 1) + 1
        if op.transposed:
            yield (side - 1) * op.stride[axis] + span - 2 * op.pad[axis]
        else:
            yield (side + 2 * op.pad[axis] - span) // op.stride[axis] + 1


def _positive(node: Node, shape: Shape, given: Shape) -> Shape:
    if shape.height < 1 or shape.width < 1:
        raise GraphError(
            f"“{node.name}” leaves nothing of {given}: "
            "its kernel is larger than its input with the pad",
            node.line,
        )
    return shape


def _weights(op: Conv, channels: int) -> int:
    return op.kernel[0] * op.kernel[1] * channels * op.maps // op.groups


def learned_blobs(op: Op, channels: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of a layer's learned weights and biases, in the order of torch's parameters."""
    match op:
        case Conv():
            maps = (channels, op.maps) if op.transposed else (op.maps, channels)
            weights = (maps[0], maps[1] // op.groups, *op.kernel)
            single = (weights, (op.maps,)) if op.bias else (weights,)
            return (*single, *branch_blobs(channels, op.maps)) if op.branches else single
        case Activation(kind="prelu"):
            return ((channels if op.per_channel else 1,),)
        case BatchNorm(affine=True) | Scale(bias=True):
            return ((channels,), (channels,))
        case Scale():
            return ((channels,),)
        case _:
            return ()


def branch_blobs(channels: int, maps: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the weights that `branches` adds: 1x1, then 3x3; edges."""
    return (2 * maps, channels), (maps, 2 * maps, 3, 3), (3, maps, channels)


@dataclass(frozen=True)
class _ReceptiveField:
    """The pixels that a value of a layer depends on, and the distance of neighbours in pixels."""

    size: tuple[float, float]
    jump: tuple[float, float]


def _field(op: Op, inputs: Sequence[_ReceptiveField]) -> _ReceptiveField:
    widest = _ReceptiveField(
        (max(field.size[0] for field in inputs), max(field.size[1] for field in inputs)),
        (max(field.jump[0] for field in inputs), max(field.jump[1] for field in inputs)),
    )
    if not isinstance(op, Conv | Pool):
        return widest
    stride = op.stride if isinstance(op, Conv) else (1, 1)
    dilation = op.dilation if isinstance(op, Conv) else (1, 1)
    size, jump = list(widest.size), list(widest.jump)
    for axis in (0, 1):
        if isinstance(op, Conv) and op.transposed:
            reach = math.ceil(((op.kernel[axis] - 1) * dilation[axis] + 1) / stride[axis]) - 1
            size[axis] += reach * jump[axis]
            jump[axis] /= stride[axis]
        else:
            size[axis] += (op.kernel[axis] - 1) * dilation[axis] * jump[axis]
            jump[axis] *= stride[axis]
    return _ReceptiveField((size[0], size[1]), (jump[0], jump[1]))
