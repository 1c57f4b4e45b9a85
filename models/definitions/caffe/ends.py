"""Inputs and outputs of a Caffe network: data, label and loss.

The image and the label arrive as 0..1. A prototxt assumes pixel values of 0 to 255, times its
own scaling. A Value records such scalings instead of computing them, so that inverse scalings
cancel out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.definitions.caffe.text import CaffeLayer
from models.definitions.graph import INPUT
from models.definitions.operations import GraphError, Power

SOURCES = ("Data", "Input", "HDF5Data", "ImageData", "MemoryData", "DummyData")
UNIT_SOURCES = ("HDF5Data",)
"""Sources whose values are used unscaled. By convention they are in 0 to 1."""

LABEL, ANOTHER_IMAGE = "the label", "another image"
"""Sources of values that are not nodes of the graph."""

SMALLEST, LARGEST = 1e-12, 1e12
"""Range of the total scaling, within that of 32-bit floats."""


@dataclass(frozen=True)
class Value:
    """Value of a blob: scale * (output of a node) + shift.

    `source`: the node, LABEL or ANOTHER_IMAGE.
    """

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
        """This value with the scaling of `other` undone."""
        return Value(
            self.source, self.scale / other.scale, (self.shift - other.shift) / other.scale
        )


def scaled(value: Value, layer: CaffeLayer, scale: float, shift: float) -> Value:
    """Apply a layer's scaling to a value.

    Raises GraphError if the total is zero, too small or too large.
    """
    result = value.then(scale, shift)
    if scale == 0:
        raise GraphError(
            f"“{layer.name}” scales by 0, which erases the data. Use another scale.", layer.line
        )
    if not SMALLEST <= abs(result.scale) <= LARGEST or abs(result.shift) > LARGEST:
        raise GraphError(
            f"“{layer.name}” brings the total scaling of the data to {result.scale:g}, "
            f"plus {result.shift:g}: too small or too large. Use factors closer to 1.",
            layer.line,
        )
    return result


def scaling_of_source(layer: CaffeLayer) -> Value:
    """The image as a data layer scales it."""
    transform = layer.message.transform_param
    means = set(transform.mean_value) or {0.0}
    if len(means) > 1 or transform.mean_file:
        raise GraphError(
            f"“{layer.name}” subtracts a mean per channel, which is not supported. "
            "Choose Subtract the mean in the form instead.",
            layer.line,
        )
    scale = transform.scale if transform.HasField("scale") else 1.0
    unit = 1.0 if layer.kind in UNIT_SOURCES else 255.0
    return scaled(Value(INPUT, unit, -min(means)), layer, scale, 0.0)


def labels_of(layers: Sequence[CaffeLayer], losses: Sequence[CaffeLayer]) -> set[str]:
    """The tops of data layers that are the label.

    Position or name identifies them, else the loss: the label is the top that it takes.
    """
    sources = [
        (number, top)
        for layer in layers
        if layer.kind in SOURCES
        for number, top in enumerate(layer.message.top)
    ]
    named = {
        top
        for number, top in sources
        if number == 1 or re.search(r"label|target|truth", top, re.IGNORECASE)
    }
    if named or len(sources) < 2 or not losses:
        return named
    compared = [_source_of(bottom, losses[0], layers) for bottom in losses[0].message.bottom]
    data_tops = [top for top in compared if top]
    return {data_tops[0]} if len(data_tops) == 1 else set()


def _source_of(blob: str, consumer: CaffeLayer, layers: Sequence[CaffeLayer]) -> str:
    """The data top that a blob equals, possibly scaled; "" for the output of any other layer."""
    for layer in reversed(layers[: layers.index(consumer)]):
        if blob not in layer.message.top:
            continue
        if layer.kind in SOURCES:
            return blob
        if layer.kind not in ("Power", "Split") or len(layer.message.bottom) != 1:
            return ""
        blob = layer.message.bottom[0]
    return ""


L1 = re.compile(
    r"(py|python|my)?(l1|l1norm|mae|(mean)?abs(olute)?(err|error|diff|difference)?)(loss)?(layer)?"
)


def loss_of(layer: CaffeLayer) -> str:
    """The loss that a layer computes ("l1" or "l2"), "" for any other layer.

    The name of a Python layer, or of its module, identifies the loss.
    """
    if layer.kind == "EuclideanLoss":
        return "l2"
    if layer.kind != "Python":
        return ""
    python = layer.message.python_param
    class_name, module = (
        re.sub(r"[^a-z0-9]", "", name.lower())
        for name in (python.layer, python.module.rpartition(".")[2])
    )
    is_l1 = L1.fullmatch(class_name) or (
        class_name in ("", "loss", "layer", "losslayer") and L1.fullmatch(module)
    )
    return "l1" if is_l1 else ""


def is_trained_loss(layer: CaffeLayer) -> bool:
    """Whether training in Caffe would minimise a layer's output, be the loss supported or not.

    Without a loss_weight these are the layers whose type ends in Loss. Python code counts too:
    Caffe requires a loss_weight for it, but texts of other programs have none.
    """
    if layer.message.loss_weight:
        return any(layer.message.loss_weight)
    return layer.kind.endswith("Loss") or (layer.kind == "Python" and bool(layer.message.bottom))


def unsupported_loss(layer: CaffeLayer) -> GraphError:
    """The error for a loss that is neither L1 nor L2."""
    if layer.kind == "Python":
        what = f"runs Python code, {layer.message.python_param.layer or 'without a name'}"
    else:
        what = f"is a loss of type {layer.kind}, which is not supported"
    return GraphError(
        f"“{layer.name}” {what}: only EuclideanLoss and an L1 loss in Python are supported. "
        "Remove this layer and choose a loss in the form, or install a package that has it.",
        layer.line,
    )


IGNORED_OF_DATA = {
    "transform_param": ("crop_size", "mirror", "force_color", "force_gray"),
    "image_data_param": ("new_height", "new_width", "is_color"),
}
"""Settings of data layers that change images, by message. The dataset and the form replace them."""

MISPLACED = ("scale", "mean_file", "crop_size", "mirror")
"""Settings that Caffe reads from transform_param only."""


def ignored_settings(layer: CaffeLayer) -> list[str]:
    """The settings of a data layer that change images, but that a training does not use.

    Raises GraphError for settings that Caffe itself would not read.
    """
    for field, value in layer.message.ListFields():
        misplaced = [
            name for name in MISPLACED if field.name.endswith("data_param") and value.HasField(name)
        ]
        if misplaced:
            raise GraphError(
                f"“{layer.name}” has {misplaced[0]} in {field.name}, where Caffe ignores it. "
                "Move it to transform_param.",
                layer.line,
            )
    return [
        name
        for param, names in IGNORED_OF_DATA.items()
        for name in names
        if getattr(getattr(layer.message, param), name)
    ]
