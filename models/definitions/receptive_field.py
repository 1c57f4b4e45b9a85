"""Which part of the image each value of a layer depends on."""

import math
from dataclasses import dataclass
from fractions import Fraction

from models.definitions.graph import Graph
from models.definitions.operations import Conv, Crop, Node, Pool


@dataclass(frozen=True)
class Reach:
    """Rows or columns that an output depends on before and behind its place.

    Tiles begin at multiples of `step`.
    """

    before: int
    behind: int
    step: int = 1


@dataclass(frozen=True)
class ReceptiveField:
    """Along a side, place p of a node depends on the image from jump p + low to jump p + high."""

    jump: Fraction
    low: Fraction
    high: Fraction


def reach_of(graph: Graph) -> tuple[Reach, Reach] | None:
    """The reach in rows and columns; None if a place of the output is not a place of the image."""
    rows, columns = _reach(graph, 0), _reach(graph, 1)
    return (rows, columns) if rows and columns else None


def _reach(graph: Graph, axis: int) -> Reach | None:
    fields = receptive_fields(graph, axis)
    if any(node.name not in fields for node in graph.nodes) or fields[graph.output].jump != 1:
        return None
    output = fields[graph.output]
    step = math.lcm(*(field.jump.numerator for field in fields.values()))
    return Reach(max(0, math.ceil(-output.low)), max(0, math.ceil(output.high)), step)


def receptive_fields(graph: Graph, axis: int) -> dict[str, ReceptiveField]:
    """The receptive field of each node along a side. Nodes whose field is unknown are missing."""
    fields = {name: ReceptiveField(Fraction(1), Fraction(0), Fraction(0)) for name in graph.sources}
    for node in graph.nodes:
        field = (
            _field_of(node, [fields[name] for name in node.inputs], axis)
            if fields.keys() >= set(node.inputs)
            else None
        )
        if field is not None:
            fields[node.name] = field
    return fields


def _field_of(node: Node, inputs: list[ReceptiveField], axis: int) -> ReceptiveField | None:
    op = node.op
    if isinstance(op, Crop):
        # The second input sets only the size.
        first, offset = inputs[0], inputs[0].jump * op.offset[axis]
        return ReceptiveField(first.jump, first.low + offset, first.high + offset)
    if len({field.jump for field in inputs}) > 1:
        return None
    jump, low, high = (
        inputs[0].jump,
        min(field.low for field in inputs),
        max(field.high for field in inputs),
    )
    if not isinstance(op, Conv | Pool):
        return ReceptiveField(jump, low, high)
    span, pad = _span(op, axis), op.pad[axis]
    if isinstance(op, Conv) and op.transposed:
        fine = jump / op.stride[axis]
        return ReceptiveField(fine, low + fine * (pad - span), high + fine * pad)
    stride = op.stride[axis] if isinstance(op, Conv) else 1
    return ReceptiveField(jump * stride, low - jump * pad, high + jump * (span - pad))


def _span(op: Conv | Pool, axis: int) -> int:
    return (op.kernel[axis] - 1) * (op.dilation[axis] if isinstance(op, Conv) else 1)
