"""Images with 16 bits per value, decoded by FFmpeg: Pillow cuts colours to 8 bits."""

import av
import numpy as np
from numpy.typing import NDArray

from jobs.core.errors import JobError

DECODERS = {"PNG": "png", "TIFF": "tiff"}
DEEP_FORMATS = {
    "gray16be": (1, ">u2"),
    "gray16le": (1, "<u2"),
    "ya16be": (2, ">u2"),
    "ya16le": (2, "<u2"),
    "rgb48be": (3, ">u2"),
    "rgb48le": (3, "<u2"),
    "rgba64be": (4, ">u2"),
    "rgba64le": (4, "<u2"),
}
"""FFmpeg's formats with 16 bits per value: the number of channels and the dtype of a value."""


def decode(name: str, format: str, data: bytes) -> NDArray[np.uint16]:
    """The values of a PNG or TIFF with 16 bits per value, uint16 (H, W, C).

    Raises JobError, with the file's name, if FFmpeg cannot decode it.
    """
    decoder = av.CodecContext.create(DECODERS[format], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.error.FFmpegError as error:
        raise JobError(
            f"{name} cannot be decoded with 16 bits per value: {error.strerror}. Convert it to 8 "
            "bits."
        ) from error
    frame = frames[0] if frames else None
    if frame is None or frame.format.name not in DEEP_FORMATS:
        raise JobError(
            f"{name} has more than 8 bits per value in an unknown format. Convert it to 8 bits."
        )
    channels, dtype = DEEP_FORMATS[frame.format.name]
    rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(frame.height, -1)
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
