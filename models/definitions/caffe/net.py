"""Conversion of the layers of a Caffe network to the nodes of a graph, in order.

Each node has the name of its layer. An in-place layer (equal names of top and bottom) replaces
the blob: later layers take the newest value.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from models.definitions.caffe.ends import (
    ANOTHER_IMAGE,
    LABEL,
    SOURCES,
    Value,
    ignored_settings,
    is_trained_loss,
    labels_of,
    loss_of,
    scaled,
    scaling_of_source,
    unsupported_loss,
)
from models.definitions.caffe.layers import OPS, differences
from models.definitions.caffe.sharing import shared_names
from models.definitions.caffe.text import CaffeLayer
from models.definitions.graph import INPUT, Graph
from models.definitions.operations import GraphError, Node, Power, Take
from models.definitions.shapes import Shape

SUPPORTED = sorted(
    {*OPS, *SOURCES, "Slice", "Silence", "Split", "EuclideanLoss", "Python (an L1 loss)"}
)


@dataclass
class NetReader:
    """Reads the layers of one phase and stage, in order."""

    layers: list[CaffeLayer]
    channels: int
    notes: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    blobs: dict[str, Value] = field(default_factory=dict)
    unused: dict[str, CaffeLayer] = field(default_factory=dict)
    """Tops that no layer has taken yet."""
    scaled_by: dict[Value, str] = field(default_factory=dict)
    unfilled: list[str] = field(default_factory=list)
    """Convolutions without a weight_filler."""
    _shapes: dict[str, Shape] = field(default_factory=dict)
    image: Value | None = None
    """The image as the network sees it."""

    @cached_property
    def losses(self) -> list[CaffeLayer]:
        """The layers that training would minimise, including losses that are not supported."""
        return [layer for layer in self.layers if is_trained_loss(layer)]

    @property
    def is_network(self) -> bool:
        """Whether the layers do more than load data."""
        return any(layer.kind in OPS for layer in self.layers)

    def graph(self) -> tuple[Graph, str]:
        """The graph and the name of its loss. Raises GraphError."""
        names: set[str] = set()
        for layer in self.layers:
            if layer.name in names:
                raise GraphError(
                    f"Two layers have the name “{layer.name}”. Rename either.",
                    layer.line,
                )
            names.add(layer.name)
        if unsupported := next((loss for loss in self.losses if not loss_of(loss)), None):
            raise unsupported_loss(unsupported)
        if len(self.losses) > 1:
            first, second, *_ = self.losses
            raise GraphError(
                f"“{second.name}” is a second loss, after “{first.name}”. Remove either.",
                second.line,
            )
        self.shared = shared_names(self.layers)
        self.labels = labels_of(self.layers, self.losses)
        tops, free_bottoms = set(), set()
        for layer in self.layers:
            free_bottoms |= {bottom for bottom in layer.message.bottom if bottom not in tops}
            tops |= set(layer.message.top)
        sources = {
            top for layer in self.layers if layer.kind in SOURCES for top in layer.message.top
        }
        # DIGITS adds the blobs `data` and `label` itself if a text has none.
        if ("data" not in tops or "data" in free_bottoms) and sources <= self.labels:
            self.blobs["data"] = Value(INPUT, 255.0)
        if ("label" not in tops or "label" in free_bottoms) and not self.labels:
            self.blobs["label"] = Value(LABEL, 255.0)
        output: Value | None = None
        for layer in self.layers:
            if layer in self.losses:
                output = self._output_of_loss(layer)
            elif loss_of(layer):
                self.notes.append(f"“{layer.name}” has the loss_weight 0: ignored.")
            else:
                self._add(layer)
        if not self.nodes:
            raise GraphError("No layer leads from the data to an output. Add a convolution.")
        last = self._node_of(output or self._only_top(), "output")
        nodes = _ancestors(last, self.nodes)
        if ignored := len(self.nodes) - len(nodes):
            self.notes.append(
                f"{_number(ignored, 'layer does', 'layers do')} not lead to the output: ignored."
            )
        if self.unfilled:
            self.notes.append(
                f"{_listed(self.unfilled)}: no weight_filler. The weights start with msra "
                "(in Caffe: with 0)."
            )
        return Graph(tuple(nodes), last, self.channels), loss_of(
            self.losses[0]
        ) if self.losses else ""

    def _add(self, layer: CaffeLayer) -> None:
        if layer.kind == "Silence":  # Marks blobs that no layer needs, possibly that of a loss.
            for name in layer.message.bottom:
                self.unused.pop(name, None)
            return
        taken = [self._bottom(layer, name) for name in layer.message.bottom]
        if not all(layer.message.propagate_down):
            self.notes.append(
                f"“{layer.name}” has propagate_down: false, which is ignored: "
                "the layers before it learn too."
            )
        match layer.kind:
            case kind if kind in SOURCES:
                self._source(layer)
            case "Split":
                for top in layer.message.top:
                    self._set_blob(layer, top, self._only_bottom(layer, taken))
            case "Slice":
                self._slice(layer, taken)
            case "Power" if self._is_linear(layer):
                self._linear(layer, taken)
            case kind if kind in OPS:
                self._operation(layer, taken)
            case "Python":
                raise unsupported_loss(layer)
            case _:
                raise GraphError(
                    f"“{layer.name}” is a layer of type {layer.kind}, which is not supported. "
                    f"Supported types: {', '.join(SUPPORTED)}.",
                    layer.line,
                )

    def _bottom(self, layer: CaffeLayer, name: str) -> Value:
        if name not in self.blobs:
            raise GraphError(self._missing(layer, name), layer.line)
        self.unused.pop(name, None)
        return self.blobs[name]

    def _missing(self, layer: CaffeLayer, name: str) -> str:
        index = self.layers.index(layer)
        later = next((other for other in self.layers[index:] if name in other.message.top), None)
        if later is None:
            blobs = ", ".join(f"“{blob}”" for blob in self.blobs)
            return (
                f"“{layer.name}” takes “{name}”, which no layer makes. Blobs at this line: {blobs}."
            )
        if self._depends(later, layer):
            return (
                f"“{layer.name}” takes “{name}”, which depends on “{layer.name}” itself: a cycle."
            )
        return (
            f"“{layer.name}” takes “{name}”, which is made only further down, "
            f"by “{later.name}” in line {later.line}. Move “{later.name}” up."
        )

    def _depends(self, layer: CaffeLayer, on: CaffeLayer) -> bool:
        """Whether a layer depends, directly or not, on the output of another layer."""
        makers: dict[str, list[CaffeLayer]] = {}
        for other in self.layers:
            for top in other.message.top:
                makers.setdefault(top, []).append(other)
        seen, waiting = set(), [layer]
        while waiting:
            if (current := waiting.pop()) is on:
                return True
            if current.name not in seen:
                seen.add(current.name)
                waiting += [
                    maker for bottom in current.message.bottom for maker in makers.get(bottom, ())
                ]
        return False

    def _set_blob(self, layer: CaffeLayer, top: str, value: Value) -> None:
        if top in self.blobs and top not in layer.message.bottom:
            raise GraphError(
                f"“{layer.name}” makes “{top}”, which already exists. Rename the top.",
                layer.line,
            )
        self.blobs[top] = value
        self.unused[top] = layer

    def _source(self, layer: CaffeLayer) -> None:
        """Add a data layer. Its first top that is not a label is the image."""
        if ignored := ignored_settings(layer):
            self.notes.append(
                f"{', '.join(ignored)} of “{layer.name}”: ignored. "
                "The dataset has its own images; choose patches, flips and colours in the form."
            )
        value = scaling_of_source(layer)
        for top in layer.message.top:
            if top in self.labels:
                self._set_blob(layer, top, replace(value, source=LABEL))
            elif self.image is None:
                self.image = value
                self._set_blob(layer, top, value)
            else:
                self._set_blob(layer, top, replace(value, source=ANOTHER_IMAGE))
            self.unused.pop(top)

    def _is_linear(self, layer: CaffeLayer) -> bool:
        power = OPS["Power"](layer.message)
        return isinstance(power, Power) and power.power == 1

    def _linear(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        """Record a scaling without a node: consecutive scalings merge, inverse ones cancel out."""
        value, power = self._only_bottom(layer, taken), OPS["Power"](layer.message)
        assert isinstance(power, Power)
        result = scaled(value, layer, power.scale, power.shift)
        self.scaled_by.setdefault(result, layer.name)
        self._set_blob(layer, self._top(layer), result)

    def _slice(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        param = layer.message.slice_param
        if (param.HasField("axis") and param.axis != 1) or (
            param.HasField("slice_dim") and param.slice_dim != 1
        ):
            raise GraphError(
                f"“{layer.name}”: only the axis 1, the channels, is supported.", layer.line
            )
        tops = list(layer.message.top)
        taken_from = self._node_of(
            self._only_bottom(layer, taken), f"{layer.name}-scaled", layer.line
        )
        channels = self._channels(taken_from)
        points = list(param.slice_point) or [
            channels * number // len(tops) for number in range(1, len(tops))
        ]
        edges = [0, *points, channels]
        if len(points) != len(tops) - 1 or any(first >= end for first, end in pairwise(edges)):
            raise GraphError(
                f"“{layer.name}” cannot cut {channels} channels at {points} into {len(tops)} tops. "
                "Change its slice_point.",
                layer.line,
            )
        for top, first, end in zip(tops, *zip(*pairwise(edges), strict=True), strict=True):
            name = self._unused_name(f"{layer.name}-{top}")
            self.nodes.append(Node(name, Take(first, end), (taken_from,), layer.line))
            self._set_blob(layer, top, Value(name))

    def _channels(self, node: str) -> int:
        """The channels of a node. Shapes are cached, so that each is computed once."""
        new = self.nodes[len(self._shapes) - 1 :] if self._shapes else self.nodes
        self._shapes = Graph(tuple(new), node, self.channels).shapes(known=self._shapes)
        return self._shapes[node].channels

    def _operation(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        try:
            op = OPS[layer.kind](layer.message)
        except GraphError as error:
            raise GraphError(f"“{layer.name}”: {error}.", layer.line) from error
        least, most = {"Eltwise": (2, 100), "Concat": (1, 100), "Crop": (2, 2)}.get(
            layer.kind, (1, 1)
        )
        if not least <= len(taken) <= most:
            number = str(least) if least == most else f"{least} or more"
            raise GraphError(
                f"“{layer.name}” has {len(taken)} bottoms, but {layer.kind} takes {number}.",
                layer.line,
            )
        if any(value.source == LABEL for value in taken):
            raise GraphError(
                f"“{layer.name}” changes the label, which may only be scaled. "
                "The output must have the label's size: check the pads of the convolutions.",
                layer.line,
            )
        if layer.kind in (
            "Convolution",
            "Deconvolution",
        ) and not layer.message.convolution_param.HasField("weight_filler"):
            self.unfilled.append(layer.name)
        self.notes += differences(layer.name, layer.message)
        inputs = tuple(self._node_of(value, f"{layer.name}-in", layer.line) for value in taken)
        name = self._unused_name(layer.name)
        names = [param.name for param in layer.message.param]
        shared = tuple(name if name in self.shared else "" for name in names)
        self.nodes.append(Node(name, op, inputs, layer.line, shared if any(shared) else ()))
        self._set_blob(layer, self._top(layer), Value(name))

    def _only_bottom(self, layer: CaffeLayer, taken: Sequence[Value]) -> Value:
        if len(taken) != 1:
            raise GraphError(
                f"“{layer.name}” has {len(taken)} bottoms, but {layer.kind} takes 1.", layer.line
            )
        return taken[0]

    def _top(self, layer: CaffeLayer) -> str:
        if len(layer.message.top) != 1:
            raise GraphError(
                f"“{layer.name}” has {len(layer.message.top)} tops, but {layer.kind} makes 1.",
                layer.line,
            )
        return str(layer.message.top[0])

    def _node_of(self, value: Value, name: str, line: int | None = None) -> str:
        """The node whose output is the value: for a scaled value a Power node, added if missing."""
        if value.source == LABEL:
            raise GraphError("The label leads into the network: only the loss may take it.", line)
        if value.source == ANOTHER_IMAGE:
            raise GraphError(
                "A second image leads into the network: only a single image is supported.", line
            )
        if value.is_plain:
            return value.source
        existing = next(
            (
                node.name
                for node in self.nodes
                if node.op == value.op and node.inputs == (value.source,)
            ),
            None,
        )
        if existing is not None:
            return existing
        added = self._unused_name(self.scaled_by.get(value, name))
        self.nodes.append(Node(added, value.op, (value.source,), line))
        return added

    def _unused_name(self, name: str) -> str:
        """The name with underscores appended until no node has it."""
        names = {INPUT, *(node.name for node in self.nodes)}
        while name in names:
            name += "_"
        return name

    def _output_of_loss(self, layer: CaffeLayer) -> Value:
        """The output that the loss compares with the label, with the label's scaling undone."""
        taken = [self._bottom(layer, name) for name in layer.message.bottom]
        labels = [value for value in taken if value.source == LABEL]
        outputs = [value for value in taken if value.source != LABEL]
        if len(labels) != 1 or len(outputs) != 1:
            raise GraphError(
                f"“{layer.name}” must compare a single output with the label.", layer.line
            )
        (label,), (output,) = labels, outputs
        self.notes += _notes_on_loss(layer)
        return output.without(label)

    def _only_top(self) -> Value:
        """The output of a network without a loss. It has the scaling of the data."""
        if len(self.unused) != 1:
            if not self.unused:
                raise GraphError(
                    "The network has no output: a layer takes each top. "
                    "Leave the top of the last layer unused."
                )
            tops = ", ".join(f"“{top}”" for top in self.unused)
            raise GraphError(
                f"The network has several outputs, {tops}, and no loss. "
                "Add a loss, or a Silence layer for each unused top."
            )
        (top,) = self.unused
        return self.blobs[top].without(self._network_input())

    def _network_input(self) -> Value:
        """The image as the network's first layers see it."""
        scalings = (node.op for node in self.nodes if node.inputs == (INPUT,))
        first = next(scalings, None)
        return (
            Value(INPUT, first.scale, first.shift)
            if isinstance(first, Power) and first.power == 1
            else Value(INPUT)
        )


def _notes_on_loss(layer: CaffeLayer) -> Iterator[str]:
    if loss_of(layer) == "l2":
        yield "EuclideanLoss is the mean of squares here (in Caffe: half the sum)."
    weights = layer.message.loss_weight
    if weights and weights[0] != 1:
        yield (
            f"“{layer.name}” has the loss_weight {weights[0]:g}, which is ignored: 1 is used. "
            "Scale the learning rate instead."
        )


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"


def _listed(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"“{name}”" for name in names[:limit]) + more


def _ancestors(last: str, nodes: Iterable[Node]) -> list[Node]:
    """The nodes that a node depends on, and the node itself, in order."""
    needed, kept = {last}, []
    for node in reversed(list(nodes)):
        if node.name in needed:
            needed |= set(node.inputs)
            kept.append(node)
    return kept[::-1]
