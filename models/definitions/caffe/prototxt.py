"""Networks pasted as text: Caffe's network definitions, as DIGITS takes them, read into a graph.

A text may be a training network (data, network, loss), one for all of DIGITS' stages (include rules), a deploy
network (no loss), or the layers alone, from the blob `data` on. What counts of it is

- with a loss: the layers of phase TRAIN and stage "train" that lead from the data to what the loss compares;
- without one: the layers of phase TEST and stage "deploy" that lead to the only top that no layer takes. There is
  no label to say how the output is scaled, so it is taken to be scaled as the network sees the image.

Where there is no loss, or no network, in these, other phases and stages are tried (LOSSES, DEPLOYED), in order.

What Caffe says in pixel values of 0 to 255 holds here as well: where data or label are not scaled in the text, the
graph scales them, so that it maps 0..1 to 0..1. Data of HDF5 is 0..1 in Caffe, too.
"""

from dataclasses import dataclass

from models.definitions.caffe.net import Reading
from models.definitions.caffe.text import CaffeLayer, included, parse
from models.definitions.graph import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Graph,
    GraphError,
    Node,
    Pool,
    Power,
    Scale,
)

LOSSES = (("TRAIN", "train"), ("TRAIN", ""), ("TEST", "val"), ("TEST", ""))
"""Phase and stage in which a loss is looked for."""

DEPLOYED = (("TEST", "deploy"), ("TEST", ""), ("TRAIN", "train"), ("TRAIN", ""), ("TEST", "val"))
"""Phase and stage in which a network without a loss is looked for."""

MOST_WEIGHTS = 100_000_000
MOST_TIMES_LARGER = 32


@dataclass(frozen=True)
class Custom:
    """What a text says. `loss`: "l1", "l2", or "" where it has none. `notes`: what is done otherwise than in Caffe."""

    graph: Graph
    loss: str
    notes: tuple[str, ...]


def read(text: str, channels: int) -> Custom:
    """The network for images of so many channels. Raises GraphError, with the line, for a text that cannot be trained."""
    chosen = _choose(parse(text), channels)
    graph, loss = chosen.graph()
    _check(graph)
    return Custom(graph, loss, tuple(dict.fromkeys(chosen.notes)))


def _choose(layers: list[CaffeLayer], channels: int) -> Reading:
    def reading(phase: str, stage: str) -> Reading:
        return Reading([layer for layer in layers if included(layer, phase, stage)], channels)

    trained = [reading(*state) for state in LOSSES]
    if with_loss := next((one for one in trained if one.losses), None):
        return with_loss
    deployed = [reading(*state) for state in DEPLOYED]
    return next(
        (one for one in deployed if one.is_network), max(deployed, key=lambda one: len(one.layers))
    )


def _check(graph: Graph) -> None:
    """Raises GraphError for what is no network from an image to one of equal size, or cannot learn."""
    shapes = graph.shapes()
    for node in graph.nodes:
        shape = shapes[node.name]
        if max(shape.height, shape.width) > 64 * MOST_TIMES_LARGER:
            raise GraphError(
                f"“{node.name}” makes {shape} of an image of 64x64: at most {MOST_TIMES_LARGER} times its size.",
                node.line,
            )
    shape = shapes[graph.output]
    if (shape.height, shape.width) == (64, 64) and shape.channels != graph.channels:
        _refuse_channels(graph, shape.channels)
    graph.check()
    parameters = graph.parameters()
    weights = sum(parameters.values())
    if not any(parameters[node.name] for node in graph.nodes if _learns(node)):
        raise GraphError(
            "The network has nothing to learn: no convolution with a rate (lr_mult) leads to the output."
        )
    if weights > MOST_WEIGHTS:
        raise GraphError(
            f"The network has more than {MOST_WEIGHTS:,} weights: make its layers smaller."
        )
    try:
        graph.receptive_field()
    except (OverflowError, ValueError) as error:  # Infinite, or no number.
        raise GraphError(
            "The network shrinks the image too often: take fewer layers with a stride."
        ) from error


def _learns(node: Node) -> bool:
    """Whether the rate of a layer is not held at zero."""
    match node.op:
        case Conv(rate=rates):
            return any(rates)
        case Activation(rate=rate):
            return rate > 0
    return True


def _refuse_channels(graph: Graph, maps: int) -> None:
    last = _sets_channels(graph)
    others = {1: "choose Y in the form", 3: "choose RGB or YCbCr in the form"}.get(maps)
    ways = [others] if others else []
    ways += (
        [f"set num_output: {graph.channels}"]
        if isinstance(last.op, Conv)
        else [f"give it {graph.channels}"]
    )
    raise GraphError(
        f"“{last.name}” has {maps} {'map' if maps == 1 else 'maps'}, but the image has {graph.channels} "
        f"{'channel' if graph.channels == 1 else 'channels'}: {', or '.join(ways)}.",
        last.line,
    )


def _sets_channels(graph: Graph) -> Node:
    """The last layer that says how many maps the output has."""
    nodes = {node.name: node for node in graph.nodes}
    node = nodes[graph.output]
    while (
        isinstance(node.op, Activation | BatchNorm | Dropout | Pool | Power | Scale)
        and node.inputs[0] in nodes
    ):
        node = nodes[node.inputs[0]]
    return node
