"""Torch modules of graphs, with initialised weights."""

import math
from collections.abc import Callable
from typing import Literal, Self, assert_never

import torch
from torch import Tensor, nn

from models.branches import BranchedConv
from models.definitions import operations
from models.definitions.graph import INPUT, QP, Graph
from models.definitions.identity import Start, identity_start
from models.definitions.operations import Filler, Node, Op


class GraphNetwork(nn.Module):
    """A graph as a module, with a submodule per layer: image (N, C, H, W) to (N, C, H, W).

    A graph that takes the QP gets it as the last plane: (N, C + 1, H, W) to (N, C, H, W).
    """

    def __init__(
        self, graph: Graph, start: Literal["identity", "paper"] = "identity", signed: bool = False
    ) -> None:
        """`signed`: whether images have values below zero, which a ReLU would change."""
        super().__init__()
        self.graph = graph
        shapes = graph.shapes()
        self._steps: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = []
        last_use = {name: node.name for node in graph.nodes for name in node.inputs}
        last_use.pop(graph.output, None)
        for node in graph.nodes:
            attribute = _attribute(self, node.name)
            self.add_module(attribute, module_of(node.op, graph.inputs_of(node, shapes)))
            unneeded = tuple(
                name for name in dict.fromkeys(node.inputs) if last_use.get(name) == node.name
            )
            self._steps.append((node.name, attribute, node.inputs, unneeded))
        self._start(start, signed)
        self._share()

    def forward(self, image: Tensor) -> Tensor:
        values = {INPUT: image}
        if self.graph.takes_qp:
            channels = self.graph.channels
            values = {INPUT: image[:, :channels], QP: image[:, channels:]}
        for name, attribute, inputs, unneeded in self._steps:
            values[name] = self._modules[attribute](*[values[source] for source in inputs])  # type: ignore[misc]
            for source in unneeded:
                del values[source]  # Keeping all values of a deep network would fill the memory.
        return values[self.graph.output]

    def fold(self) -> None:
        """Replace layers with branches by single convolutions with equal outputs."""
        for attribute, module in list(self.named_children()):
            if isinstance(module, BranchedConv):
                self.add_module(attribute, module.folded())

    def layer(self, node: Node) -> nn.Module:
        """The module of a node."""
        return next(
            self.get_submodule(attribute)
            for name, attribute, _, _ in self._steps
            if name == node.name
        )

    @torch.no_grad()
    def _start(self, start: str, signed: bool) -> None:
        self.starts = (identity_start(self.graph, signed) or {}) if start == "identity" else {}
        """The starts of layers that are part of an identity, by name."""
        for node in self.graph.nodes:
            module = self.layer(node)
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert isinstance(node.op, operations.Conv)
                # The small Gaussian weights of a paper suit its thousand epochs, but not an
                # identity.
                he = bool(self.starts) and node.op.weights.kind == "gaussian"
                fill(module.weight, Filler() if he else node.op.weights)
                if module.bias is not None:
                    fill(module.bias, operations.ZEROS if he else node.op.biases)
                _start_identity(module, self.starts.get(node.name), self.graph.channels)

    def _share(self) -> None:
        """Let layers that share blobs have those of the first of them.

        They are its parameters, or the statistics of a batch normalisation.
        """
        owned: dict[str, Tensor] = {}
        for node in (node for node in self.graph.nodes if any(node.shared)):
            module = self.layer(node)
            blobs: list[tuple[str, Tensor]] = list(module.named_parameters())
            blobs = blobs or list(module.named_buffers())
            for shared, (name, blob) in zip(node.shared, blobs, strict=False):
                if shared:
                    setattr(module, name, owned.setdefault(shared, blob))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the tensors, as torch does. It would copy shared buffers for each layer."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._share()
        return self


def _attribute(module: nn.Module, name: str) -> str:
    """The name as a free attribute name that torch accepts: without dots."""
    attribute = name.replace(".", "_")
    while hasattr(module, attribute):
        attribute += "_"
    return attribute


def _start_identity(
    conv: nn.Conv2d | nn.ConvTranspose2d, start: Start | None, channels: int
) -> None:
    """Initialise a convolution to zero, or so that it passes its first channels unchanged."""
    if start == "zero":
        nn.init.zeros_(conv.weight)
        if isinstance(conv, BranchedConv):  # It may have a branch that is the identity.
            conv.weight.sub_(conv.kernel())
    if start == "dirac":
        conv.weight[:channels] = 0
        nn.init.dirac_(conv.weight[:channels])
    if start and conv.bias is not None:
        conv.bias[: len(conv.bias) if start == "zero" else channels] = 0


def fill(weight: Tensor, filler: Filler) -> None:
    """Fill weights (out, in, rows, columns) or biases like Caffe's fillers (caffe/filler.hpp)."""
    fan_in = weight[0].numel() if weight.dim() > 1 else 1
    match filler.kind:
        case "xavier":
            limit = math.sqrt(3 / fan_in)
            weight.uniform_(-limit, limit)
        case "msra":
            weight.normal_(0, math.sqrt(2 / fan_in))
        case "gaussian":
            weight.normal_(0, filler.value)
        case "uniform":
            weight.uniform_(filler.low, filler.value)
        case "constant":
            weight.fill_(filler.value)
        case "bilinear":
            side = weight.shape[-1]
            factor = math.ceil(side / 2)
            centre = (2 * factor - 1 - factor % 2) / (2 * factor)
            line = 1 - (torch.arange(side, dtype=weight.dtype) / factor - centre).abs()
            weight.copy_(line[:, None] * line[None, :])
        case _:
            assert_never(filler.kind)


def module_of(op: Op, channels: int) -> nn.Module:
    """The module of a layer with `channels` input maps."""
    match op:
        case operations.Conv():
            return _conv(op, channels)
        case operations.Activation():
            return _activation(op, channels)
        case operations.Pool(kind="max"):
            return nn.MaxPool2d(op.kernel, 1, op.pad)
        case operations.Pool():
            return nn.AvgPool2d(op.kernel, 1, op.pad)
        case operations.BatchNorm():
            return nn.BatchNorm2d(channels, eps=op.epsilon, affine=op.affine)
        case operations.Scale():
            return Scale(channels, op.bias, op.start)
        case operations.Combine():
            return Combine(op)
        case operations.Concat():
            return Concat()
        case operations.Power():
            return Power(op)
        case operations.Dropout():
            return nn.Dropout(op.ratio)
        case operations.Crop():
            return Crop(op)
        case operations.Take():
            return Take(op)
        case _:
            assert_never(op)


def _conv(op: operations.Conv, channels: int) -> nn.Conv2d | nn.ConvTranspose2d:
    if op.transposed:
        return nn.ConvTranspose2d(
            channels,
            op.maps,
            op.kernel,
            op.stride,
            op.pad,
            groups=op.groups,
            bias=op.bias,
            dilation=op.dilation,
        )
    if op.branches:
        return BranchedConv(channels, op.maps)
    return nn.Conv2d(
        channels, op.maps, op.kernel, op.stride, op.pad, op.dilation, op.groups, op.bias
    )


def _activation(op: operations.Activation, channels: int) -> nn.Module:
    match op.kind:
        case "relu":
            return nn.LeakyReLU(op.slope) if op.slope else nn.ReLU()
        case "prelu":
            return nn.PReLU(channels if op.per_channel else 1, op.slope)
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "elu":
            return nn.ELU(op.slope)
        case _:
            assert_never(op.kind)


class Scale(nn.Module):
    def __init__(self, channels: int, bias: bool, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), start))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * self.weight[:, None, None]
        return scaled if self.bias is None else scaled + self.bias[:, None, None]


class Combine(nn.Module):
    def __init__(self, op: operations.Combine) -> None:
        super().__init__()
        self.kind, self.factors = op.kind, op.factors

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        factors = self.factors or (1.0,) * (1 + len(others))
        total = first if factors[0] == 1 else first * factors[0]
        for other, factor in zip(others, factors[1:], strict=True):
            match self.kind:
                case "sum":
                    total = total.add(other, alpha=factor)
                case "product":
                    total = total * other
                case "max":
                    total = torch.maximum(total, other)
        return total

    def extra_repr(self) -> str:
        return self.kind


class Concat(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)


class Power(nn.Module):
    def __init__(self, op: operations.Power) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: Tensor) -> Tensor:
        linear = x * self.op.scale + self.op.shift
        return linear if self.op.power == 1 else linear**self.op.power

    def extra_repr(self) -> str:
        return f"({self.op.shift:g} + {self.op.scale:g} x)^{self.op.power:g}"


class Crop(nn.Module):
    def __init__(self, op: operations.Crop) -> None:
        super().__init__()
        self.offset = op.offset

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        (top, left), (height, width) = self.offset, like.shape[-2:]
        return x[..., top : top + height, left : left + width]


class Take(nn.Module):
    def __init__(self, op: operations.Take) -> None:
        super().__init__()
        self.first, self.end = op.first, op.end

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.first : self.end]

    def extra_repr(self) -> str:
        return f"{self.first}:{self.end}"
