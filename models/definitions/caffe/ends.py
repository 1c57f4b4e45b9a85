"""What goes into a Caffe network and what is compared with what comes out: its data, its label, its loss.

The image and the label come as 0..1; a text means pixel values of 0 to 255, times what it scales them by. Such
scalings are kept in mind as a Value, not computed: those that undo each other leave nothing behind.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.definitions.caffe.text import CaffeLayer
from models.definitions.graph import INPUT, GraphError, Power

SOURCES = ("Data", "Input", "HDF5Data", "ImageData", "MemoryData", "DummyData")
UNIT_SOURCES = ("HDF5Data",)
"""Whose values are used as they are, in 0 to 1 by custom."""

LABEL, ANOTHER_IMAGE = "the label", "another image"
"""Sources of values that are no node."""

SMALLEST, LARGEST = 1e-12, 1e12
"""What scalings may come to: more would leave the range of 32-bit numbers."""


@dataclass(frozen=True)
class Value:
    """What a blob holds: scale * (the output of a node) + shift. `source`: the node, LABEL or ANOTHER_IMAGE."""

    source: str
    scale: float = 1.0
    shift: float = 0.0

    @property
    def is_plain(self) -> bool:
        return abs(self.scale - 1) < 1e-6 and abs(self.shift) < 1e-6

    @property
    def op(self) -> Power:
        return Power(1.0, self.scale, self.shift)

    def then(self, scale: float, shift: float) -> "Value":
        return Value(self.source, self.scale * scale, self.shift * scale + shift)

    def without(self, other: "Value") -> "Value":
        """With another one's scaling undone."""
        return Value(
            self.source, self.scale / other.scale, (self.shift - other.shift) / other.scale
        )


def scaled(value: Value, layer: CaffeLayer, scale: float, shift: float) -> Value:
    """Raises GraphError for what leaves nothing of a value, or more than can be computed with."""
    made = value.then(scale, shift)
    if scale == 0:
        raise GraphError(f"“{layer.name}” scales by 0: nothing is left.", layer.line)
    if not SMALLEST <= abs(made.scale) <= LARGEST or abs(made.shift) > LARGEST:
        raise GraphError(
            f"With “{layer.name}” the data is scaled by {made.scale:g} in all, plus {made.shift:g}: too small or too large.",
            layer.line,
        )
    return made


def scaling_of_source(layer: CaffeLayer) -> Value:
    """How a data layer scales the image."""
    told = layer.told.transform_param
    means = set(told.mean_value) or {0.0}
    if len(means) > 1 or told.mean_file:
        raise GraphError(
            f"“{layer.name}” subtracts a mean a channel: choose Subtract the mean in the form instead.",
            layer.line,
        )
    scale = told.scale if told.HasField("scale") else 1.0
    unit = 1.0 if layer.kind in UNIT_SOURCES else 255.0
    return scaled(Value(INPUT, unit, -min(means)), layer, scale, 0.0)


def labels_of(layers: Sequence[CaffeLayer], losses: Sequence[CaffeLayer]) -> set[str]:
    """The tops of data layers that are the label: by place or name, else that which the loss takes."""
    sources = [
        (number, top)
        for layer in layers
        if layer.kind in SOURCES
        for number, top in enumerate(layer.told.top)
    ]
    named = {
        top
        for number, top in sources
        if number == 1 or re.search(r"label|target|truth", top, re.IGNORECASE)
    }
    if named or len(sources) < 2 or not losses:
        return named
    compared = [_source_of(bottom, losses[0], layers) for bottom in losses[0].told.bottom]
    found = [top for top in compared if top]
    return {found[0]} if len(found) == 1 else set()


def _source_of(blob: str, taker: CaffeLayer, layers: Sequence[CaffeLayer]) -> str:
    """The data that a blob is, scaled perhaps; "" for what a network makes."""
    for layer in reversed(layers[: layers.index(taker)]):
        if blob not in layer.told.top:
            continue
        if layer.kind in SOURCES:
            return blob
        if layer.kind not in ("Power", "Split") or len(layer.told.bottom) != 1:
            return ""
        blob = layer.told.bottom[0]
    return ""


L1 = re.compile(
    r"(py|python|my)?(l1|l1norm|mae|(mean)?abs(olute)?(err|error|diff|difference)?)(loss)?(layer)?"
)


def loss_of(layer: CaffeLayer) -> str:
    """The loss that a layer is, "" for any other layer. A layer in Python is known by its name, or by its module's."""
    if layer.kind == "EuclideanLoss":
        return "l2"
    if layer.kind != "Python":
        return ""
    told = layer.told.python_param
    called, module = (
        re.sub(r"[^a-z0-9]", "", name.lower())
        for name in (told.layer, told.module.rpartition(".")[2])
    )
    known = L1.fullmatch(called) or (
        called in ("", "loss", "layer", "losslayer") and L1.fullmatch(module)
    )
    return "l1" if known else ""


def counts(layer: CaffeLayer) -> bool:
    """Whether a layer is a loss with a weight."""
    weights = layer.told.loss_weight
    return bool(loss_of(layer)) and (not weights or any(weights))
