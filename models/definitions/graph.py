"""A network as a graph of layers, said without torch: enough to draw it, to count it, and to find what is wrong with it.

Every network of Clearframe is such a graph, those of `models.definitions.networks` as well as one that was pasted as text;
`models.build` makes the torch module of it. The image goes in as the node INPUT.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

INPUT = "input"

Pair = tuple[int, int]
"""(rows, columns)"""


@dataclass(frozen=True)
class Filler:
    """How weights start.

    xavier: uniform, variance 1/fan-in (Glorot and Bengio 2010, as Caffe has it); msra: normal, variance 2/fan-in
    (He et al. 2015); gaussian: normal, standard deviation `value`; uniform: from `low` to `value`; constant: `value`;
    bilinear: interpolation, for transposed convolutions.
    """

    kind: Literal["xavier", "msra", "gaussian", "uniform", "constant", "bilinear"] = "msra"
    value: float = 0.0
    low: float = 0.0


ZEROS = Filler("constant")


@dataclass(frozen=True)
class Conv:
    """A convolution, or with `transposed` its transpose. `rate` and `decay` multiply the learning rate and
    the weight decay of (weights, biases), as Caffe's lr_mult and decay_mult do."""

    maps: int
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    transposed: bool = False
    weights: Filler = Filler()
    biases: Filler = ZEROS
    rate: tuple[float, float] = (1.0, 1.0)
    decay: tuple[float, float] = (1.0, 1.0)

    @property
    def keeps_size(self) -> bool:
        """Whether each output pixel lies on an input pixel, with the kernel's middle on it."""
        spans = zip(self.kernel, self.pad, self.dilation, strict=True)
        return self.stride == (1, 1) and all(
            (kernel - 1) * dilation == 2 * pad for kernel, pad, dilation in spans
        )


@dataclass(frozen=True)
class Activation:
    """`slope`: of what is below zero in relu (0) and elu (its alpha); where prelu starts."""

    kind: Literal["relu", "prelu", "sigmoid", "tanh", "elu"]
    slope: float = 0.0
    rate: float = 1.0


@dataclass(frozen=True)
class Pool:
    kind: Literal["max", "average"]
    kernel: Pair
    pad: Pair = (0, 0)


@dataclass(frozen=True)
class BatchNorm:
    """Normalised over the batch; `affine`: with a learned factor and summand a channel, which Caffe leaves to a Scale layer."""

    epsilon: float = 1e-5
    affine: bool = True


@dataclass(frozen=True)
class Scale:
    """A learned factor for each channel, and with `bias` a summand."""

    bias: bool = False
    start: float = 1.0


@dataclass(frozen=True)
class Combine:
    """Element by element; `factors` of a sum, one an input."""

    kind: Literal["sum", "product", "max"] = "sum"
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class Concat:
    """The channels of all inputs, one input after the other."""


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
    """The first input, cut to the height and width of the second."""

    offset: Pair = (0, 0)


@dataclass(frozen=True)
class Take:
    """The channels from `first` up to `end`."""

    first: int
    end: int


Op = Conv | Activation | Pool | BatchNorm | Scale | Combine | Concat | Power | Dropout | Crop | Take


@dataclass(frozen=True)
class Node:
    """A layer: what it does with the outputs of other nodes. `line`: where it stands in the text it was read from."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    line: int | None = None


@dataclass(frozen=True)
class Shape:
    """Of what a node puts out for one image."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class GraphError(Exception):
    """A network that cannot work; `line` says where, if it was read from a text."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Graph:
    """Nodes, each after those it takes from; `output` is the one whose output is the restored image.

    `channels` of the image go in, and as many must come out.
    """

    nodes: tuple[Node, ...]
    output: str
    channels: int

    def shapes(
        self, height: int = 64, width: int = 64, known: dict[str, Shape] | None = None
    ) -> dict[str, Shape]:
        """What each node puts out, for an image of that size; `known` are those of nodes before. Raises GraphError for a
        layer that cannot take its inputs."""
        shapes = dict(known or {INPUT: Shape(self.channels, height, width)})
        for node in self.nodes:
            shapes[node.name] = _shape(node, [shapes[name] for name in node.inputs])
        return shapes

    def check(self) -> None:
        """Raises GraphError unless the output has the size and the channels of the image, for any size."""
        for height, width in ((64, 64), (37, 53)):
            found, wanted = (
                self.shapes(height, width)[self.output],
                Shape(self.channels, height, width),
            )
            if found != wanted:
                line = next((node.line for node in self.nodes if node.name == self.output), None)
                raise GraphError(
                    f"The output, “{self.output}”, is {found} for an image of {wanted}: it must be of equal size, "
                    "for images of any size. Look at pads and strides, and at the maps of the last layer.",
                    line,
                )

    def inputs_of(self, node: Node, shapes: dict[str, Shape]) -> int:
        """The channels that a node's weights see: those of its first input."""
        return shapes[node.inputs[0]].channels

    def parameters(self) -> dict[str, int]:
        """Learned numbers of each node."""
        shapes = self.shapes()
        return {
            node.name: _parameters(node.op, self.inputs_of(node, shapes)) for node in self.nodes
        }

    def multiply_adds(self) -> float:
        """Multiplications of all convolutions for each pixel of the image (their additions come with them)."""
        side = 240  # Divisible by the usual strides.
        shapes = self.shapes(side, side)
        total = 0
        for node in self.nodes:
            if isinstance(node.op, Conv):
                seen = shapes[node.inputs[0] if node.op.transposed else node.name]
                total += _weights(node.op, self.inputs_of(node, shapes)) * seen.height * seen.width
        return total / side**2

    def receptive_field(self) -> Pair:
        """(rows, columns) of the image that one output pixel depends on."""
        fields: dict[str, _Field] = {INPUT: _Field((1.0, 1.0), (1.0, 1.0))}
        for node in self.nodes:
            fields[node.name] = _field(node.op, [fields[name] for name in node.inputs])
        rows, columns = fields[self.output].size
        return math.ceil(rows), math.ceil(columns)


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    first, op = inputs[0], node.op
    match op:
        case Conv():
            if first.channels % op.groups or op.maps % op.groups:
                raise GraphError(
                    f"“{node.name}” has {op.groups} groups, but {first.channels} inputs and {op.maps} maps: "
                    "the groups must divide both",
                    node.line,
                )
            sides = _sides(op, first)
            return _positive(node, Shape(op.maps, *sides), first)
        case Pool():
            rows, columns = (
                side + 2 * pad - kernel + 1
                for side, pad, kernel in zip(
                    (first.height, first.width), op.pad, op.kernel, strict=True
                )
            )
            return _positive(node, Shape(first.channels, rows, columns), first)
        case Combine():
            for name, other in zip(node.inputs[1:], inputs[1:], strict=True):
                if other != first:
                    raise GraphError(
                        f"“{node.name}” combines “{node.inputs[0]}” of {first} with “{name}” of {other}: "
                        "they must be of equal shape",
                        node.line,
                    )
            return first
        case Concat():
            for name, other in zip(node.inputs[1:], inputs[1:], strict=True):
                if (other.height, other.width) != (first.height, first.width):
                    raise GraphError(
                        f"“{node.name}” joins “{node.inputs[0]}” of {first} with “{name}” of {other}: their sizes must be equal",
                        node.line,
                    )
            return Shape(sum(shape.channels for shape in inputs), first.height, first.width)
        case Crop():
            second = inputs[1]
            fits = (
                op.offset[0] + second.height <= first.height
                and op.offset[1] + second.width <= first.width
            )
            if not fits:
                raise GraphError(
                    f"“{node.name}” would cut {second} at {op.offset} out of {first}: that does not fit",
                    node.line,
                )
            return Shape(first.channels, second.height, second.width)
        case Take():
            if not 0 <= op.first < op.end <= first.channels:
                raise GraphError(
                    f"“{node.name}” takes the channels {op.first} to {op.end - 1} of “{node.inputs[0]}”, "
                    f"which has {first.channels}",
                    node.line,
                )
            return Shape(op.end - op.first, first.height, first.width)
        case _:
            return first


def _sides(op: Conv, seen: Shape) -> Iterator[int]:
    for axis, side in enumerate((seen.height, seen.width)):
        span = op.dilation[axis] * (op.kernel[axis] - 1) + 1
        if op.transposed:
            yield (side - 1) * op.stride[axis] + span - 2 * op.pad[axis]
        else:
            yield (side + 2 * op.pad[axis] - span) // op.stride[axis] + 1


def _positive(node: Node, shape: Shape, seen: Shape) -> Shape:
    if shape.height < 1 or shape.width < 1:
        raise GraphError(
            f"“{node.name}” leaves nothing of {seen}: its kernel is larger than that with its pad",
            node.line,
        )
    return shape


def _weights(op: Conv, channels: int) -> int:
    return op.kernel[0] * op.kernel[1] * channels * op.maps // op.groups


def _parameters(op: Op, channels: int) -> int:
    match op:
        case Conv():
            return _weights(op, channels) + (op.maps if op.bias else 0)
        case Activation(kind="prelu"):
            return channels
        case BatchNorm():
            return 2 * channels if op.affine else 0
        case Scale():
            return channels * (2 if op.bias else 1)
        case _:
            return 0


@dataclass(frozen=True)
class _Field:
    """The pixels that one value of a layer sees, and how many pixels lie between two neighbours."""

    size: tuple[float, float]
    jump: tuple[float, float]


def _field(op: Op, inputs: Sequence[_Field]) -> _Field:
    widest = _Field(
        (max(one.size[0] for one in inputs), max(one.size[1] for one in inputs)),
        (max(one.jump[0] for one in inputs), max(one.jump[1] for one in inputs)),
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
    return _Field((size[0], size[1]), (jump[0], jump[1]))
