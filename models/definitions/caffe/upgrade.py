"""Upgrade of Caffe's older formats to the layers of today's, by the rules of its upgrade_proto.cpp.

V1 has `layers { type: CONVOLUTION blobs_lr: 1 … }`. V0 has a layer inside of each connection,
`layers { layer { name: "conv1" type: "conv" kernelsize: 3 … } bottom: … top: … }`, and pads an
image by layers of their own.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from models.definitions.caffe.schema import LayerParameter
from models.definitions.operations import GraphError

Message = Any
"""A protobuf message. Its class is created at run time."""

Numbered = tuple[Message, int]
"""A layer and its line, counted from 1."""

TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "PRELU": "PReLU",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
    **{name: name for name in ("BNLL", "ELU", "LRN", "MVN")},
}
"""Types of V1 whose name of today differs in more than capitals, as EuclideanLoss does not."""

V0_TYPES = {
    "conv": "CONVOLUTION",
    "images": "IMAGE_DATA",
    "innerproduct": "INNER_PRODUCT",
    "pool": "POOLING",
}
"""Types of V0 that V1 calls otherwise, and not only in capitals."""

V0_SETTINGS = {
    "biasterm": "bias_term",
    "kernelsize": "kernel_size",
    "batchsize": "batch_size",
    "shuffle_images": "shuffle",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
}
"""Settings of V0 that have another name today."""

V0_PARAMS = {
    "conv": "convolution_param",
    "pool": "pooling_param",
    "dropout": "dropout_param",
    "concat": "concat_param",
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
}
"""The message that has the settings of a type of V0."""

TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
"""Settings of data layers that transform_param has today."""


def type_of_v1(word: str) -> str:
    """Today's name of a type of V1."""
    return TYPES.get(word) or "".join(part.capitalize() for part in word.split("_"))


def upgraded(layers: list[Numbered]) -> list[Numbered]:
    """Layers of V0 or V1 as layers of today. Raises GraphError with the line."""
    if any(message.HasField("layer") for message, _ in layers):
        layers = [(_from_v0(message, line), line) for message, line in _without_padding(layers)]
    return [(_from_v1(message), line) for message, line in layers]


def _from_v1(old: Message) -> Message:
    fields = {field.name: value for field, value in old.ListFields()}
    specs = zip_longest(
        *(fields.pop(name, ()) for name in ("param", "blobs_lr", "weight_decay", "blob_share_mode"))
    )
    names = ("name", "lr_mult", "decay_mult", "share_mode")
    new: Message = LayerParameter(
        **fields, param=[dict(_present(zip(names, spec, strict=True))) for spec in specs]
    )
    for data in (new.data_param, new.image_data_param):
        for name in TRANSFORM:
            if data.HasField(name):
                setattr(new.transform_param, name, getattr(data, name))
                data.ClearField(name)
    return new


def _present(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in pairs if value is not None)


def _from_v0(connection: Message, line: int) -> Message:
    """The layer of V1 that a connection of V0 describes."""
    if not connection.HasField("layer"):
        return connection
    old = connection.layer
    new = type(connection)()
    new.CopyFrom(connection)
    new.ClearField("layer")
    new.name, new.type = old.name, type_of_v1(V0_TYPES.get(old.type, old.type.upper()))
    for field, value in old.ListFields():
        name = V0_SETTINGS.get(field.name, field.name)
        if name in ("name", "type"):
            continue
        if name in ("blobs_lr", "weight_decay"):
            getattr(new, name).extend(value)
            continue
        param = "transform_param" if name in TRANSFORM else V0_PARAMS.get(old.type, "")
        if not param or name not in getattr(new, param).DESCRIPTOR.fields_by_name:
            raise GraphError(
                f"“{old.name}” has {field.name}, which layers of type {old.type} do not have. "
                "Remove it.",
                line,
            )
        _set(getattr(new, param), name, value)
    return new


def _set(message: Message, name: str, value: Any) -> None:
    """Set a field to a single value, whether it is repeated, a message or a number."""
    current = getattr(message, name)
    if hasattr(current, "append"):
        current.append(value)
    elif hasattr(current, "CopyFrom"):
        current.CopyFrom(value)
    else:
        setattr(message, name, value)


def _without_padding(connections: list[Numbered]) -> list[Numbered]:
    """Connections without the layers of type padding: the layers that take them have their pads.

    Raises GraphError for a layer that cannot have a pad.
    """
    padding: dict[str, Message] = {}
    """The padding layer that made a blob last, by the blob's name."""
    kept = []
    for connection, line in connections:
        sources = [padding[blob] for blob in connection.bottom if blob in padding]
        for source in sources:
            if connection.layer.type not in ("conv", "pool") or len(connection.bottom) != 1:
                raise GraphError(
                    f"“{connection.layer.name}” takes the padded “{connection.bottom[0]}”: "
                    "only layers of type conv or pool can, and only as their single bottom.",
                    line,
                )
            connection.layer.pad = source.layer.pad
            connection.bottom[0] = source.bottom[0]
        is_padding = connection.layer.type == "padding"
        if is_padding and not len(connection.bottom) == len(connection.top) == 1:
            raise GraphError(f"“{connection.layer.name}” needs a single bottom and top.", line)
        for blob in connection.top:
            padding.pop(blob, None)
            if is_padding:
                padding[blob] = connection
        if not is_padding:
            kept.append((connection, line))
    return kept
