"""Caffe's message Datum (caffe.proto): a picture as a value of an LMDB database."""

import math
from typing import Any

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from jobs.core.errors import JobError
from jobs.core.limits import too_large
from jobs.media.images import Picture

COLOUR = 3


def _message() -> Any:
    file = FileDescriptorProto(name="datum.proto", package="clearframe.datum", syntax="proto2")
    message = file.message_type.add(name="Datum")
    types = FieldDescriptorProto
    for name, number, type in (
        ("channels", 1, types.TYPE_INT32),
        ("height", 2, types.TYPE_INT32),
        ("width", 3, types.TYPE_INT32),
        ("data", 4, types.TYPE_BYTES),
        ("label", 5, types.TYPE_INT32),
        ("float_data", 6, types.TYPE_FLOAT),
        ("encoded", 7, types.TYPE_BOOL),
    ):
        repeated = name == "float_data"
        label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=type, label=label)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("clearframe.datum.Datum"))


Datum = _message()


def encode(png: bytes, channels: int, height: int, width: int) -> bytes:
    """The Datum of a picture as a PNG file."""
    datum = Datum(channels=channels, height=height, width=width, data=png, label=0, encoded=True)
    value: bytes = datum.SerializeToString()
    return value


def decode(value: bytes, where: str) -> bytes | Picture:
    """The image file in a Datum, or its picture. `where`: its place, for messages.

    Raw pixels are planes, those of colour in the order B, G, R, as Caffe and DIGITS store them.
    Raises JobError.
    """
    try:
        datum = Datum.FromString(value)
    except DecodeError as error:
        raise JobError(
            f"{where} is not a Datum of Caffe. Give an LMDB that Caffe reads."
        ) from error
    if datum.encoded:
        return bytes(datum.data)
    shape = datum.channels, datum.height, datum.width
    if datum.channels not in (1, COLOUR) or min(shape) < 1 or len(datum.data) != math.prod(shape):
        raise JobError(
            f"{where} has no picture of 1 or 3 planes with 8 bits per value. Store the pictures "
            "as PNG."
        )
    if why := too_large(datum.width, datum.height):
        raise JobError(f"{where} is refused: {why}.")
    planes = np.frombuffer(datum.data, np.uint8).reshape(shape)
    return np.ascontiguousarray(planes[::-1].transpose(1, 2, 0))
