"""The layers of a Caffe network as the nodes of a graph, in their order.

A node is called by its layer. A layer in place, top and bottom of one name, hides what the blob was before: those
after it take the newest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from models.definitions.caffe.ends import (
    ANOTHER_IMAGE,
    LABEL,
    SOURCES,
    Value,
    counts,
    labels_of,
    loss_of,
    scaled,
    scaling_of_source,
)
from models.definitions.caffe.layers import OPS, differences
from models.definitions.caffe.text import CaffeLayer
from models.definitions.graph import INPUT, Graph, GraphError, Node, Power, Shape, Take

SUPPORTED = sorted(
    {*OPS, *SOURCES, "Slice", "Silence", "Split", "EuclideanLoss", "Python (an L1 loss)"}
)


@dataclass
class Reading:
    """The layers of one state, read in their order."""

    layers: list[CaffeLayer]
    channels: int
    notes: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    blobs: dict[str, Value] = field(default_factory=dict)
    unused: dict[str, CaffeLayer] = field(default_factory=dict)
    """Tops that no layer has taken yet."""
    scaled_by: dict[Value, str] = field(default_factory=dict)
    unfilled: list[str] = field(default_factory=list)
    """Convolutions that the text does not say how to start."""
    _shapes: dict[str, Shape] = field(default_factory=dict)
    image: Value | None = None
    """As the network sees it."""

    @cached_property
    def losses(self) -> list[CaffeLayer]:
        return [layer for layer in self.layers if counts(layer)]

    @property
    def is_network(self) -> bool:
        """Whether these are a network to use, not one of data alone."""
        return any(layer.kind in OPS for layer in self.layers)

    def graph(self) -> tuple[Graph, str]:
        names: set[str] = set()
        for layer in self.layers:
            if layer.name in names:
                raise GraphError(
                    f"There are two layers “{layer.name}”. Give one of them another name.",
                    layer.line,
                )
            names.add(layer.name)
        if len(self.losses) > 1:
            first, second, *_ = self.losses
            raise GraphError(
                f"“{second.name}” is a second loss beside “{first.name}”. Keep one.", second.line
            )
        self.labels = labels_of(self.layers, self.losses)
        made, given = set(), set()
        for layer in self.layers:
            given |= {bottom for bottom in layer.told.bottom if bottom not in made}
            made |= set(layer.told.top)
        sources = {top for layer in self.layers if layer.kind in SOURCES for top in layer.told.top}
        if (
            "data" not in made or "data" in given
        ) and sources <= self.labels:  # DIGITS adds these itself where a text has none.
            self.blobs["data"] = Value(INPUT, 255.0)
        if ("label" not in made or "label" in given) and not self.labels:
            self.blobs["label"] = Value(LABEL, 255.0)
        output: Value | None = None
        for layer in self.layers:
            if counts(layer):
                output = self._compared(layer)
            elif not loss_of(layer):
                self._add(layer)
        if not self.nodes:
            raise GraphError("No layer leads from the data to an output.")
        last = self._node_of(output or self._only_top(), "output")
        nodes = _leading_to(last, self.nodes)
        if left := len(self.nodes) - len(nodes):
            self.notes.append(
                f"{_number(left, 'layer does', 'layers do')} not lead to the output: left out."
            )
        if self.unfilled:
            self.notes.append(
                f"{_listed(self.unfilled)}: no weight_filler. Caffe would start at 0, here the start is msra."
            )
        return Graph(tuple(nodes), last, self.channels), loss_of(
            self.losses[0]
        ) if self.losses else ""

    def _add(self, layer: CaffeLayer) -> None:
        if layer.kind == "Silence":  # It says of blobs that nobody needs them; a loss may be one.
            for name in layer.told.bottom:
                self.unused.pop(name, None)
            return
        taken = [self._bottom(layer, name) for name in layer.told.bottom]
        if any(param.name for param in layer.told.param):
            raise GraphError(
                f"“{layer.name}” shares its weights: that is not supported.", layer.line
            )
        match layer.kind:
            case kind if kind in SOURCES:
                self._source(layer)
            case "Split":
                for top in layer.told.top:
                    self._made(layer, top, self._one(layer, taken))
            case "Slice":
                self._slice(layer, taken)
            case "Power" if self._is_linear(layer):
                self._linear(layer, taken)
            case kind if kind in OPS:
                self._operation(layer, taken)
            case "Python":
                raise GraphError(
                    f"“{layer.name}” runs Python code, {layer.told.python_param.layer or 'of no name'}: only an L1 loss is. "
                    "Choose a loss in the form, or install a package with one.",
                    layer.line,
                )
            case _:
                raise GraphError(
                    f"“{layer.name}” is a layer of type {layer.kind}, which is not supported. There are: {', '.join(SUPPORTED)}.",
                    layer.line,
                )

    def _bottom(self, layer: CaffeLayer, name: str) -> Value:
        if name not in self.blobs:
            raise GraphError(self._missing(layer, name), layer.line)
        self.unused.pop(name, None)
        return self.blobs[name]

    def _missing(self, layer: CaffeLayer, name: str) -> str:
        here = self.layers.index(layer)
        later = next((other for other in self.layers[here:] if name in other.told.top), None)
        if later is None:
            there = ", ".join(f"“{blob}”" for blob in self.blobs)
            return f"“{layer.name}” takes “{name}”, which no layer makes. There are: {there}."
        if self._depends(later, layer):
            return (
                f"“{layer.name}” takes “{name}”, which depends on “{layer.name}” itself: a cycle."
            )
        return f"“{layer.name}” takes “{name}”, which is made only further down, by “{later.name}” in line {later.line}. Move it up."

    def _depends(self, layer: CaffeLayer, on: CaffeLayer) -> bool:
        """Whether a layer takes, over any way, what another one makes."""
        makers: dict[str, list[CaffeLayer]] = {}
        for other in self.layers:
            for top in other.told.top:
                makers.setdefault(top, []).append(other)
        seen, waiting = set(), [layer]
        while waiting:
            if (one := waiting.pop()) is on:
                return True
            if one.name not in seen:
                seen.add(one.name)
                waiting += [maker for bottom in one.told.bottom for maker in makers.get(bottom, ())]
        return False

    def _made(self, layer: CaffeLayer, top: str, value: Value) -> None:
        if top in self.blobs and top not in layer.told.bottom:
            raise GraphError(
                f"“{layer.name}” makes “{top}”, which is there already. Give it another name.",
                layer.line,
            )
        self.blobs[top] = value
        self.unused[top] = layer

    def _source(self, layer: CaffeLayer) -> None:
        """Data: the first top that is no label is the image."""
        told, value = layer.told.transform_param, scaling_of_source(layer)
        if told.mirror or told.crop_size:
            self.notes.append(
                "crop_size and mirror of the data are left out: patches and flips are chosen in the form."
            )
        for top in layer.told.top:
            if top in self.labels:
                self._made(layer, top, replace(value, source=LABEL))
            elif self.image is None:
                self.image = value
                self._made(layer, top, value)
            else:
                self._made(layer, top, replace(value, source=ANOTHER_IMAGE))
            self.unused.pop(top)

    def _is_linear(self, layer: CaffeLayer) -> bool:
        power = OPS["Power"](layer.told)
        return isinstance(power, Power) and power.power == 1

    def _linear(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        """Kept in mind, not computed: a scaling right behind another becomes one, and none where they undo each other."""
        value, power = self._one(layer, taken), OPS["Power"](layer.told)
        assert isinstance(power, Power)
        made = scaled(value, layer, power.scale, power.shift)
        self.scaled_by.setdefault(made, layer.name)
        self._made(layer, self._top(layer), made)

    def _slice(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        told = layer.told.slice_param
        if (told.HasField("axis") and told.axis != 1) or (
            told.HasField("slice_dim") and told.slice_dim != 1
        ):
            raise GraphError(
                f"“{layer.name}”: only the axis 1, the channels, is supported.", layer.line
            )
        tops = list(layer.told.top)
        taken_from = self._node_of(self._one(layer, taken), f"{layer.name}-scaled", layer.line)
        channels = self._channels(taken_from)
        points = list(told.slice_point) or [
            channels * number // len(tops) for number in range(1, len(tops))
        ]
        edges = [0, *points, channels]
        if len(points) != len(tops) - 1 or any(first >= end for first, end in pairwise(edges)):
            raise GraphError(
                f"“{layer.name}” cannot cut {channels} channels at {points} into {len(tops)} tops.",
                layer.line,
            )
        for top, first, end in zip(tops, *zip(*pairwise(edges), strict=True), strict=True):
            name = self._free(f"{layer.name}-{top}")
            self.nodes.append(Node(name, Take(first, end), (taken_from,), layer.line))
            self._made(layer, top, Value(name))

    def _channels(self, node: str) -> int:
        """Each node's shape is found once, however many layers ask."""
        new = self.nodes[len(self._shapes) - 1 :] if self._shapes else self.nodes
        self._shapes = Graph(tuple(new), node, self.channels).shapes(known=self._shapes)
        return self._shapes[node].channels

    def _operation(self, layer: CaffeLayer, taken: Sequence[Value]) -> None:
        try:
            op = OPS[layer.kind](layer.told)
        except GraphError as error:
            raise GraphError(f"“{layer.name}”: {error}.", layer.line) from error
        least, most = {"Eltwise": (2, 100), "Concat": (1, 100), "Crop": (2, 2)}.get(
            layer.kind, (1, 1)
        )
        if not least <= len(taken) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            raise GraphError(
                f"“{layer.name}” has {len(taken)} bottoms, but {layer.kind} takes {wanted}.",
                layer.line,
            )
        if any(value.source == LABEL for value in taken):
            raise GraphError(
                f"“{layer.name}” changes the label: that may only be scaled. The output must have the label's size; "
                "look at the pads of the convolutions.",
                layer.line,
            )
        if layer.kind in (
            "Convolution",
            "Deconvolution",
        ) and not layer.told.convolution_param.HasField("weight_filler"):
            self.unfilled.append(layer.name)
        self.notes += differences(layer.name, layer.told)
        inputs = tuple(self._node_of(value, f"{layer.name}-in", layer.line) for value in taken)
        name = self._free(layer.name)
        self.nodes.append(Node(name, op, inputs, layer.line))
        self._made(layer, self._top(layer), Value(name))

    def _one(self, layer: CaffeLayer, taken: Sequence[Value]) -> Value:
        if len(taken) != 1:
            raise GraphError(
                f"“{layer.name}” has {len(taken)} bottoms, but {layer.kind} takes 1.", layer.line
            )
        return taken[0]

    def _top(self, layer: CaffeLayer) -> str:
        if len(layer.told.top) != 1:
            raise GraphError(
                f"“{layer.name}” has {len(layer.told.top)} tops, but {layer.kind} makes 1.",
                layer.line,
            )
        return str(layer.told.top[0])

    def _node_of(self, value: Value, name: str, line: int | None = None) -> str:
        """The node whose output is the value: where that is scaled, one that does so."""
        if value.source == LABEL:
            raise GraphError("The label leads into the network: only the loss may take it.", line)
        if value.source == ANOTHER_IMAGE:
            raise GraphError("A second image leads into the network: it gets one.", line)
        if value.is_plain:
            return value.source
        known = next(
            (
                node.name
                for node in self.nodes
                if node.op == value.op and node.inputs == (value.source,)
            ),
            None,
        )
        if known is None:
            known = self._free(self.scaled_by.get(value, name))
            self.nodes.append(Node(known, value.op, (value.source,), line))
        return known

    def _free(self, name: str) -> str:
        """A name that no node has."""
        names = {INPUT, *(node.name for node in self.nodes)}
        while name in names:
            name += "_"
        return name

    def _compared(self, layer: CaffeLayer) -> Value:
        """The output: what the loss compares with the label, with the label's scaling undone."""
        taken = [self._bottom(layer, name) for name in layer.told.bottom]
        labels = [value for value in taken if value.source == LABEL]
        outputs = [value for value in taken if value.source != LABEL]
        if len(labels) != 1 or len(outputs) != 1:
            raise GraphError(f"“{layer.name}” must compare one output with the label.", layer.line)
        (label,), (output,) = labels, outputs
        if loss_of(layer) == "l2":
            self.notes.append(
                "EuclideanLoss is half the sum of squares in Caffe; here the loss is their mean."
            )
        return output.without(label)

    def _only_top(self) -> Value:
        """The output of a network without a loss. It is scaled as the data is."""
        if len(self.unused) != 1:
            if not self.unused:
                raise GraphError("The network has no output: each top is taken by a layer.")
            several = ", ".join(f"“{top}”" for top in self.unused)
            raise GraphError(
                f"The network has several outputs, {several}, and no loss that says which one counts."
            )
        (top,) = self.unused
        return self.blobs[top].without(self._seen())

    def _seen(self) -> Value:
        """The image as the network's first layers see it."""
        scalings = (node.op for node in self.nodes if node.inputs == (INPUT,))
        first = next(scalings, None)
        return (
            Value(INPUT, first.scale, first.shift)
            if isinstance(first, Power) and first.power == 1
            else Value(INPUT)
        )


def _number(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"“{name}”" for name in names[:most]) + more


def _leading_to(last: str, nodes: Iterable[Node]) -> list[Node]:
    """Those that a node depends on, and itself, in their order."""
    wanted, kept = {last}, []
    for node in reversed(list(nodes)):
        if node.name in wanted:
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]
