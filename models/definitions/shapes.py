"""The shapes of what the layers of a network put out."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.definitions.operations import Combine, Concat, Conv, Crop, GraphError, Node, Pool, Take


@dataclass(frozen=True)
class Shape:
    """Shape of a node's output for a single image."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}×{self.height}×{self.width}"


def shape_of(node: Node, inputs: list[Shape]) -> Shape:
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
