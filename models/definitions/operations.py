"""The operations of a network's layers, without torch."""

from dataclasses import dataclass
from typing import Literal

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


class GraphError(Exception):
    """An invalid network. `line`: the line of the error, for networks that come from a text."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


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
