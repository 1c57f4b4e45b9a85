"""How a frame was coded: its type, and the QP of its macroblocks.

FFmpeg's decoders of H.264, VP9, MPEG-1, MPEG-2, MPEG-4 and H.263 report how coarsely each block was
quantised; a JPEG file contains its tables. All become QPs on the scale of H.264: networks for H.264
restore the other codecs well with these. Decoders of HEVC, AV1 and VP8 report nothing.
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
VP9, H264, MPEG = 0, 1, 2
"""AVVideoEncParamsType of FFmpeg."""
CODECS = ("h264", "vp9", "mpeg1video", "mpeg2video", "mpeg4", "h263", "h263p", "flv")
"""Codecs whose decoders report quantisers."""
QPS_PER_BIT = 6
"""The quantiser's step doubles every six QPs, H.264 8.5.9; so does the range of values with each
bit of precision: QP'Y = QPY + 6 * (bit depth - 8), H.264 7.4.2.1.1."""
QP_OF_STEP_1 = 4
"""The QP of H.264 at which steps of a transform that keeps the energy are 1 grey level."""
VP9_STEPS = (
    (0, 1, 95, 119, 143, 160, 176, 192, 207, 255),
    (4, 8, 102, 150, 227, 305, 408, 550, 729, 1828),
)
"""Some q indices of VP9 and the AC steps of its table for 8 bits, in eighths of a grey level: VP9
bitstream specification, 8.6.1, ac_qlookup. It is nearly linear between them."""
VP9_REPEATED = 1.6
"""Divides the steps of VP9, to 4 QPs less. Its frames between others have large steps and repeat
most of the others: with all of the QP, starters took 0.3 to 0.6 dB from such frames of a drawn
clip; with 4 less, no frame of three clips lost."""

QpMap = NDArray[np.uint8]
"""The QP of each macroblock, uint8 (rows, columns), 0 to 51."""


@dataclass(frozen=True)
class Coding:
    """The type of a frame, I, P or B, and the QPs of its macroblocks; None if unknown."""

    type: str | None = None
    qp: QpMap | None = None


def prepare_decoder(video: "av.VideoStream", qps: bool) -> None:
    """Let several threads decode a stream. `qps`: whether its frames need their QPs.

    FFmpeg copies the QPs of a frame when it puts the frame out. With a thread per frame, another
    thread may still be decoding that frame: one map in ten would be wrong.
    """
    qps = qps and video.codec_context.name in CODECS
    video.thread_type = "SLICE" if qps else "AUTO"
    if qps:
        video.codec_context.options = {"export_side_data": "+venc_params"}


def coding_of(frame: "av.VideoFrame") -> Coding:
    """How a frame was coded; see `prepare_decoder`."""
    return Coding(TYPES.get(int(frame.pict_type)), _qp_map(frame))


def coding_of_image(file: Image.Image, height: int, width: int) -> Coding:
    """How an image file was coded, for a picture (height, width); unknown but for JPEG.

    The QP is that of the mean step of the 16 lowest frequencies of Y.
    """
    tables = getattr(file, "quantization", None)
    if not tables:
        return Coding()
    step = np.array(tables[0]).reshape(8, 8)[:4, :4].mean()
    return Coding(qp=_qps_of_steps(np.full((-(-height // BLOCK), -(-width // BLOCK)), step)))


def _qps_of_steps(steps: NDArray[Any]) -> QpMap:
    """The QPs with quantiser steps in grey levels."""
    qps = QP_OF_STEP_1 + QPS_PER_BIT * np.log2(np.maximum(steps, 0.5))
    result: QpMap = qps.round().clip(0, MAX_QP).astype(np.uint8)
    return result


def _qp_map(frame: "av.VideoFrame") -> QpMap | None:
    """The map of a frame.

    None if the decoder reports none, or more macroblocks than the frame needs: the stream cuts off
    whole macroblocks, and FFmpeg does not say on which side.
    """
    entries: Any = frame.side_data  # PyAV's stub types it as a mapping.
    params = next((entry for entry in entries if entry.type.name == "VIDEO_ENC_PARAMS"), None)
    if params is None:
        return None
    shape = -(-frame.height // BLOCK), -(-frame.width // BLOCK)
    blocks = np.frombuffer(params, np.uint8, offset=params.blocks_offset)
    fields = blocks[: params.nb_blocks * params.block_size].view(np.int32)
    # A block of FFmpeg: x, y, width, height, and the difference of its QP from that of the frame.
    x, y, width, _, delta = fields.reshape(params.nb_blocks, params.block_size // 4).T[:5]
    excess_bits = frame.format.components[0].bits - 8
    if params.codec_type == VP9:
        # More bits have tables of larger steps, and values that are larger by as much.
        steps = np.interp(params.qp + _spread(shape, x, y, width, delta), *VP9_STEPS)
        return _qps_of_steps(steps / 8 / VP9_REPEATED)
    if params.nb_blocks != shape[0] * shape[1]:
        return None
    if x.max() // BLOCK >= shape[1] or y.max() // BLOCK >= shape[0]:
        return None
    map = np.zeros(shape, np.int32)
    map[y // BLOCK, x // BLOCK] = params.qp + delta
    if params.codec_type == MPEG:  # Twice the quantiser, which is the step.
        return _qps_of_steps(map)
    return (map - QPS_PER_BIT * excess_bits).clip(0, MAX_QP).astype(np.uint8)


def _spread(
    shape: tuple[int, int],
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    width: NDArray[np.int32],
    delta: NDArray[np.int32],
) -> NDArray[np.int32]:
    """The values of square blocks of any size at each macroblock, 0 where there are none."""
    map = np.zeros(shape, np.int32)
    for across in range(0, int(width.max(initial=0)), BLOCK):
        for down in range(0, int(width.max(initial=0)), BLOCK):
            inside = width > max(across, down)
            rows, columns = (y[inside] + down) // BLOCK, (x[inside] + across) // BLOCK
            visible = (rows < shape[0]) & (columns < shape[1])
            map[rows[visible], columns[visible]] = delta[inside][visible]
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


def with_plane(
    picture: NDArray[np.uint8], map: QpMap | None, unknown: int | None = None
) -> NDArray[np.uint8]:
    """A picture (H, W, C) with the QPs of its frame as one more channel (H, W, C + 1).

    `unknown`: the QP of a picture without a map.
    """
    height, width, _ = picture.shape
    plane = plane_of(map, height, width, unknown=unknown)
    return np.concatenate((picture, plane[:, :, None]), 2)


def plane_of(
    map: QpMap | None,
    height: int,
    width: int,
    top: int = 0,
    left: int = 0,
    unknown: int | None = None,
) -> NDArray[np.uint8]:
    """A plane of a network's input, uint8 (height, width): PLANE_SCALE * QP.

    Without a map it is that of the QP `unknown`, or 0.

    The picture begins at (top, left) of its frame; the map, with the macroblock of that pixel, as
    `encode_map` cuts it.
    """
    if map is None:
        return np.full((height, width), PLANE_SCALE * (unknown or 0), np.uint8)
    top, left = top % BLOCK, left % BLOCK
    wide = (map * np.uint8(PLANE_SCALE)).repeat(BLOCK, 1)[:, left : left + width]
    return wide.repeat(BLOCK, 0)[top : top + height]
