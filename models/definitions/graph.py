"""A network as a graph of layers, without torch: enough to draw, count and check it.

Every network of Clearframe is such a graph: those of `models.definitions.networks` as well as
networks pasted as text. `models.build` makes the torch module. The node INPUT is the image. A
layer may also have the input QP: one channel with the quantiser of the codec at each pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.definitions.operations import (
    Combine,
    Conv,
    Crop,
    GraphError,
    Node,
    Op,
    Pair,
    Pool,
    learned_blobs,
)
from models.definitions.shapes import Shape, shape_of

INPUT = "input"
QP = "qp"
"""QP / 51 at each pixel, 0 to 1; 0 where it is unknown."""


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
    def corrects_image(self) -> bool:
        """Whether the output is the image plus what the layers compute."""
        last = next(node for node in self.nodes if node.name == self.output)
        return isinstance(last.op, Combine) and last.op.kind == "sum" and INPUT in last.inputs

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
            shapes[node.name] = shape_of(node, [shapes[name] for name in node.inputs])
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


def _weights(op: Conv, channels: int) -> int:
    return op.kernel[0] * op.kernel[1] * channels * op.maps // op.groups


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
