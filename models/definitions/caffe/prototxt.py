"""Reader for networks pasted as text: Caffe's network definitions, as DIGITS accepts them.

A text may be a training network (data, network, loss), a network for all of DIGITS' stages
(include rules), a deploy network (no loss), or only the layers that follow the blob `data`.
The reader uses

- with a loss: the layers of phase TRAIN and stage "train" that lead from the data to the output
  that the loss compares;
- without a loss: the layers of phase TEST and stage "deploy" that lead to the only top that no
  layer takes. No label gives the scaling of the output, so the reader assumes the scaling in
  which the network sees the image.

If these have no loss, or no network, the reader tries other phases and stages in order
(LOSSES, DEPLOYED). A loss that is not supported is an error: it never makes the reader try the
next one.

As in Caffe, pixel values are 0 to 255: where the text does not scale data or label, the graph
scales them, so that it maps 0..1 to 0..1. HDF5 data is 0..1, as in Caffe.
"""

from dataclasses import dataclass

from models.definitions.caffe.ends import SOURCES
from models.definitions.caffe.net import NetReader
from models.definitions.caffe.pads import advice
from models.definitions.caffe.sharing import check_statistics
from models.definitions.caffe.text import CaffeLayer, included, parse
from models.definitions.graph import Graph
from models.definitions.operations import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    GraphError,
    Node,
    Pool,
    Power,
    Scale,
)

LOSSES = (("TRAIN", "train"), ("TRAIN", ""), ("TEST", "val"), ("TEST", ""))
"""Phases and stages to search for a loss."""

DEPLOYED = (("TEST", "deploy"), ("TEST", ""), ("TRAIN", "train"), ("TRAIN", ""), ("TEST", "val"))
"""Phases and stages to search for a network without a loss."""

MAX_WEIGHTS = 100_000_000
MAX_ENLARGEMENT = 32
"""Limit for the side of a layer's output, as a multiple of the image's side."""


@dataclass(frozen=True)
class ParsedNetwork:
    """The network of a text.

    `loss`: "l1", "l2", or "" for none. `notes`: differences from Caffe's behaviour.
    """

    graph: Graph
    loss: str
    notes: tuple[str, ...]

    def notes_for(self, loss: str) -> list[str]:
        """The notes for a training with that loss."""
        if self.loss in ("", loss):
            return list(self.notes)
        return [
            *self.notes,
            f"The definition names the loss {self.loss.upper()}; "
            f"this training uses the loss of its settings, {loss.upper()}.",
        ]


def read(text: str, channels: int) -> ParsedNetwork:
    """Parse a text to a network for images of `channels` channels.

    Raises GraphError with the line for a text that cannot be trained.
    """
    chosen = _choose(parse(text), channels)
    graph, loss = chosen.graph()
    try:
        _check(graph)
    except GraphError as error:
        if pads := advice(graph):
            raise GraphError(f"{str(error).rstrip('.')}. {pads}", error.line) from error
        raise
    return ParsedNetwork(graph, loss, tuple(dict.fromkeys(chosen.notes)))


def _choose(layers: list[CaffeLayer], channels: int) -> NetReader:
    def reader(phase: str, stage: str) -> NetReader:
        return NetReader([layer for layer in layers if included(layer, phase, stage)], channels)

    trained = [reader(*state) for state in LOSSES]
    deployed = [reader(*state) for state in DEPLOYED]
    chosen = next((net for net in trained if net.losses), None) or next(
        (net for net in deployed if net.is_network), max(deployed, key=lambda net: len(net.layers))
    )
    used = {layer for net in (*trained, *deployed) for layer in net.layers}
    chosen.notes += [
        f"“{layer.name}” in line {layer.line} is in no phase or stage of a training: ignored."
        for layer in layers
        if layer not in used
    ]
    if chosen.losses:
        chosen.notes += _not_trained([layer for layer in layers if layer in used], chosen)
    else:
        chosen.notes += _only_trained(trained[0], chosen)
    return chosen


def _not_trained(layers: list[CaffeLayer], chosen: NetReader) -> list[str]:
    """Notes on layers that a text has for validation or inference only, such as an accuracy.

    A variant of a layer of the training, of the same name, needs no note.
    """
    names = {layer.name for layer in chosen.layers}
    return [
        f"“{layer.name}” in line {layer.line} is for tests only (phase TEST or stage deploy): "
        "ignored. Validations measure L1, PSNR and SSIM."
        for layer in layers
        if layer.name not in names and layer.kind not in SOURCES
    ]


def _only_trained(trained: NetReader, chosen: NetReader) -> list[str]:
    """Notes on layers that a text has for training, if its network for inference is used."""
    kept = set(chosen.layers)
    return [
        f"“{layer.name}” in line {layer.line} is for training only: ignored, "
        "because the text has no loss."
        for layer in trained.layers
        if layer not in kept and layer.kind not in SOURCES
    ]


def _check(graph: Graph) -> None:
    """Raises GraphError if the output differs from the image in size, or nothing can learn."""
    shapes = graph.shapes()
    for node in graph.nodes:
        shape = shapes[node.name]
        if max(shape.height, shape.width) > 64 * MAX_ENLARGEMENT:
            raise GraphError(
                f"“{node.name}” turns an image of 64×64 into {shape}: "
                f"at most {MAX_ENLARGEMENT} times its size is allowed. Use smaller strides.",
                node.line,
            )
    shape = shapes[graph.output]
    if (shape.height, shape.width) == (64, 64) and shape.channels != graph.channels:
        _refuse_channels(graph, shape.channels)
    graph.check()
    check_statistics(graph)
    parameters = graph.parameters()
    weights = sum(parameters.values())
    if not any(parameters[node.name] for node in graph.nodes if _learns(node)):
        raise GraphError(
            "The network has nothing to learn: "
            "no convolution with a rate (lr_mult) above 0 leads to the output."
        )
    if weights > MAX_WEIGHTS:
        raise GraphError(
            f"The network has {weights:,} weights: at most {MAX_WEIGHTS:,} are allowed. "
            "Make its layers smaller."
        )
    try:
        graph.receptive_field()
    except (OverflowError, ValueError) as error:  # Infinite or NaN.
        raise GraphError(
            "The network shrinks the image too often: use fewer layers with a stride."
        ) from error


def _learns(node: Node) -> bool:
    """Whether a layer has a learning rate above zero."""
    match node.op:
        case Conv(rate=rates) | Scale(rate=rates):
            return any(rates)
        case Activation(rate=rate):
            return rate > 0
    return True


def _refuse_channels(graph: Graph, maps: int) -> None:
    last = _sets_channels(graph)
    change_image = {1: "choose Y in the form", 3: "choose RGB or YCbCr in the form"}.get(maps)
    fixes = [change_image] if change_image else []
    fixes += (
        [f"set num_output: {graph.channels}"]
        if isinstance(last.op, Conv)
        else [f"give it {graph.channels}"]
    )
    raise GraphError(
        f"“{last.name}” has {maps} {'map' if maps == 1 else 'maps'}, "
        f"but the image has {graph.channels} "
        f"{'channel' if graph.channels == 1 else 'channels'}: {', or '.join(fixes)}.",
        last.line,
    )


def _sets_channels(graph: Graph) -> Node:
    """The last layer that sets the number of maps of the output."""
    nodes = {node.name: node for node in graph.nodes}
    node = nodes[graph.output]
    while (
        isinstance(node.op, Activation | BatchNorm | Dropout | Pool | Power | Scale)
        and node.inputs[0] in nodes
    ):
        node = nodes[node.inputs[0]]
    return node
