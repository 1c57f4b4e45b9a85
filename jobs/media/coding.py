"""How a frame was coded: its type, and the QP of its macroblocks.

FFmpeg's decoder of H.264 reports the QP of each macroblock. Those of HEVC, AV1 and VP8 report none;
those of VP9, MPEG-1, MPEG-2, MPEG-4 and H.263 report other scales, which are not used.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.media.png import encode_png

if TYPE_CHECKING:
    import av

BLOCK = 16
"""Rows and columns of a macroblock in pixels."""
MAX_QP = 51
PLANE_SCALE = 5
"""A plane of QPs for a network has PLANE_SCALE * QP: 255 is QP 51, and 0 is unknown."""

TYPES = {1: "I", 2: "P", 3: "B"}
"""AVPictureType of FFmpeg."""
H264 = 1
"""AV_VIDEO_ENC_PARAMS_H264 of FFmpeg."""
BITS_PER_STEP = 6
"""QPs that one more bit of precision adds: QP'Y = QPY + 6 * (bit depth - 8), H.264 7.4.2.1.1."""

QpMap = NDArray[np.uint8]
"""The QP of each macroblock, uint8 (rows, columns), 0 to 51."""


@dataclass(frozen=True)
class Coding:
    """The type of a frame, I, P or B, and the QPs of its macroblocks; None if unknown."""

    type: str | None = None
    qp: QpMap | None = None


def prepare_decoder(video: "av.VideoStream", qps: bool) -> None:
    """Let several threads decode a stream. `qps`: whether its frames need the QPs of H.264.

    FFmpeg copies the QPs of a frame when it puts the frame out. With a thread per frame, another
    thread may still be decoding that frame: one map in ten would be wrong.
    """
    qps = qps and video.codec_context.name == "h264"
    video.thread_type = "SLICE" if qps else "AUTO"
    if qps:
        video.codec_context.options = {"export_side_data": "+venc_params"}


def coding_of(frame: "av.VideoFrame") -> Coding:
    """How a frame was coded; see `prepare_decoder`."""
    return Coding(TYPES.get(int(frame.pict_type)), _qp_map(frame))


def _qp_map(frame: "av.VideoFrame") -> QpMap | None:
    """The map of a frame of H.264.

    None if it has more macroblocks than the frame needs: the stream cuts off whole macroblocks, and
    FFmpeg does not say on which side.
    """
    entries: Any = frame.side_data  # PyAV's stub types it as a mapping.
    params = next((entry for entry in entries if entry.type.name == "VIDEO_ENC_PARAMS"), None)
    if params is None or int(params.codec_type) != H264:
        return None
    rows, columns = -(-frame.height // BLOCK), -(-frame.width // BLOCK)
    if params.nb_blocks != rows * columns:
        return None
    blocks = np.frombuffer(params, np.uint8, offset=params.blocks_offset)
    fields = blocks[: params.nb_blocks * params.block_size].view(np.int32)
    # A block of FFmpeg: x, y, width, height, and the difference of its QP from that of the frame.
    x, y, _, _, delta = fields.reshape(params.nb_blocks, -1).T[:5]
    if x.max() // BLOCK >= columns or y.max() // BLOCK >= rows:
        return None
    map = np.zeros((rows, columns), np.uint8)
    offset = BITS_PER_STEP * (frame.format.components[0].bits - 8)
    map[y // BLOCK, x // BLOCK] = (params.qp + delta - offset).clip(0, MAX_QP)
    return map


def encode_map(map: QpMap | None, top: int, left: int, height: int, width: int) -> bytes:
    """The macroblocks of a part of a frame as a gray PNG; nothing without a map.

    It begins with the macroblock that contains the pixel (top, left).
    """
    if map is None:
        return b""
    rows = slice(top // BLOCK, -(-(top + height) // BLOCK))
    return encode_png(map[rows, left // BLOCK : -(-(left + width) // BLOCK), None])


def decode_map(value: bytes) -> QpMap | None:
    """The map of a value by `encode_map`."""
    if not value:
        return None
    with Image.open(io.BytesIO(value)) as image:
        return np.asarray(image)


def with_plane(picture: NDArray[np.uint8], map: QpMap | None) -> NDArray[np.uint8]:
    """A picture (H, W, C) with the QPs of its frame as one more channel (H, W, C + 1)."""
    return np.concatenate((picture, plane_of(map, *picture.shape[:2])[:, :, None]), 2)


def plane_of(
    map: QpMap | None, height: int, width: int, top: int = 0, left: int = 0
) -> NDArray[np.uint8]:
    """A plane of a network's input, uint8 (height, width): PLANE_SCALE * QP, 0 without a map.

    The picture begins at (top, left) of its frame; the map, with the macroblock of that pixel, as
    `encode_map` cuts it.
    """
    if map is None:
        return np.zeros((height, width), np.uint8)
    rows = (top % BLOCK + np.arange(height)) // BLOCK
    columns = (left % BLOCK + np.arange(width)) // BLOCK
    return map[rows[:, None], columns] * np.uint8(PLANE_SCALE)
