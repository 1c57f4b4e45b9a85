"""Advice for networks whose convolutions have no pad, so that the output is smaller than the image.

Caffe's users crop the target instead. Here output and image have equal size.
"""

from dataclasses import replace

from models.definitions.graph import Graph
from models.definitions.operations import Conv, GraphError, Node, Pair, Pool

MOST_LISTED = 12
"""Layers that advice lists by name."""


def advice(graph: Graph) -> str:
    """Which pads give the output the size of the image; "" if no pads do, or it has that size."""
    if _keeps_size(graph) or not _keeps_size(
        replace(graph, nodes=tuple(_padded(node) for node in graph.nodes))
    ):
        return ""
    layers = {node.name: pad for node in graph.nodes if (pad := _centring_pad(node)) is not None}
    pads = [
        f"{rows}" if rows == columns else f"{rows}×{columns}" for rows, columns in layers.values()
    ]
    if len(set(pads)) == 1:
        return f"Set pad: {pads[0]} in each convolution."
    if len(pads) > MOST_LISTED:
        return "Set the pad of each convolution to half its kernel, rounded down."
    return f"Set the pads of {', '.join(f'“{name}”' for name in layers)} to {', '.join(pads)}."


def _keeps_size(graph: Graph) -> bool:
    try:
        outputs = [(graph.shapes(*size)[graph.output], size) for size in ((64, 64), (37, 53))]
    except GraphError:
        return False
    return all((shape.height, shape.width) == size for shape, size in outputs)


def _padded(node: Node) -> Node:
    pad = _centring_pad(node)
    if pad is None:
        return node
    assert isinstance(node.op, Conv | Pool)
    return replace(node, op=replace(node.op, pad=pad))


def _centring_pad(node: Node) -> Pair | None:
    """The pad with which a layer keeps the size of its input; None for layers without one."""
    match node.op:
        case Conv(stride=(1, 1), kernel=kernel, dilation=dilation):
            spans = tuple((side - 1) * step for side, step in zip(kernel, dilation, strict=True))
        case Pool(kernel=kernel):
            spans = (kernel[0] - 1, kernel[1] - 1)
        case _:
            return None
    return None if spans[0] % 2 or spans[1] % 2 else (spans[0] // 2, spans[1] // 2)
