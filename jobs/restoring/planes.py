"""The planes Y, Cb and Cr of a frame, and how a network's change applies to them.

The network's change in RGB is added to the decoded planes. Unchanged pixels therefore stay bit
for bit the same. A conversion from YUV to RGB and back would round, and blur the chroma.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import torch
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from jobs.media.h264 import HD
from jobs.media.video import Colour, colour_of, reformat

Plane = NDArray[np.unsignedinteger[Any]]
"""Values of 8 bits are uint8; of more bits, uint16."""

FAMILIES = {(0, 0): "yuv444p", (1, 0): "yuv422p", (1, 1): "yuv420p"}
"""Pixel formats of 8 bits by how often the columns and the rows of their chroma are halved."""

LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Weights of R and B in Y by matrix_coefficients (ITU-T H.273). All others are BT.601."""
BT601 = (0.299, 0.114)


@dataclass(frozen=True)
class Layout:
    """The pixel format, size and colour of planes.

    `family` is the format of 8 bits with the same planes; `bits` are those of a value.
    """

    family: str
    bits: int
    width: int
    height: int
    colour: Colour

    @property
    def format(self) -> str:
        """FFmpeg's pixel format."""
        return format_of(self.family, self.bits)

    @property
    def halved(self) -> tuple[int, int] | None:
        """How often (columns, rows) of the chroma are halved; None without chroma."""
        return next((halved for halved, name in FAMILIES.items() if name == self.family), None)

    @property
    def top(self) -> int:
        """The largest value."""
        return (1 << self.bits) - 1

    @property
    def black(self) -> int:
        """Y of black."""
        return 0 if self.colour.full_range else 16 << self.bits - 8

    @property
    def scales(self) -> tuple[float, float]:
        """The range of Y, and the range of Cb and Cr, in steps of values."""
        if self.colour.full_range:
            return float(self.top), float(self.top)
        return float(219 << self.bits - 8), float(224 << self.bits - 8)

    @property
    def white_of_rgb48(self) -> int:
        """What libswscale makes of white in RGB with 16 bits."""
        return self.top << 16 - self.bits if self.colour.full_range else 255 << 8


def format_of(family: str, bits: int) -> str:
    """FFmpeg's pixel format of a family with a number of bits per value."""
    return family if bits == 8 else f"{family}{bits}le"


def bits_of(frame: av.VideoFrame) -> int:
    return max(component.bits for component in frame.format.components)


def depth_of(frame: av.VideoFrame, depths: Sequence[int]) -> int:
    """The bits per value, of rising `depths`, that keep a frame's; the most if none does."""
    return next((depth for depth in depths if depth >= bits_of(frame)), depths[-1])


def planar(frame: av.VideoFrame, depths: Sequence[int]) -> av.VideoFrame:
    """The frame with planes of one of the `depths`, the bits per value that an output may have.

    Returns a frame that has them unchanged. Converts others without subsampling chroma further.
    """
    format, bits = frame.format, depth_of(frame, depths)
    if format.name.replace("yuvj", "yuv") in {
        format_of(family, bits) for family in (*FAMILIES.values(), "gray")
    }:
        return frame
    if format.is_rgb or format.name == "pal8":
        matrix = Colorspace.ITU709 if frame.height >= HD else Colorspace.SMPTE170M
        converted = reformat(
            frame,
            format_of("yuv444p", bits),
            dst_colorspace=matrix,
            dst_color_range=ColorRange.MPEG,
        )
        converted.colorspace, converted.color_range = 1 if frame.height >= HD else 6, 1
        return converted
    gray = len([component for component in format.components if not component.is_alpha]) == 1
    columns, rows = (
        int(np.log2(64 / side)) for side in (format.chroma_width(64), format.chroma_height(64))
    )
    full = frame.color_range == 2 or (gray and frame.color_range == 0)
    ranges: dict[str, Any] = {"src_color_range": 2, "dst_color_range": 2} if full else {}
    family = "gray" if gray else FAMILIES.get((columns, rows), "yuv444p")
    return reformat(frame, format_of(family, bits), **ranges)


def lost_by_planes(frame: av.VideoFrame, depths: Sequence[int]) -> list[str]:
    """What `planar` loses of a frame, as texts."""
    format, bits = frame.format, bits_of(frame)
    kept = depth_of(frame, depths)
    losses = {
        f"the video's {bits} bits per value are reduced to {kept}": bits > kept,
        "the video's transparency is removed": any(
            component.is_alpha for component in format.components
        ),
        "the video's RGB is converted to YUV 4:4:4": format.is_rgb or format.name == "pal8",
    }
    return [text for text, lost in losses.items() if lost]


def layout_of(frame: av.VideoFrame) -> Layout:
    """The layout of a planar frame.

    The formats yuvj… have the full range. So has gray if the frame signals no range.
    """
    colour, bits = colour_of(frame), bits_of(frame)
    full = frame.format.name.startswith("yuvj") or (
        frame.format.name.startswith("gray") and colour.full_range is None
    )
    return Layout(
        frame.format.name.replace("yuvj", "yuv").removesuffix(f"{bits}le"),
        bits,
        frame.width,
        frame.height,
        Colour(colour.matrix, full or colour.full_range),
    )


def planes_of(frame: av.VideoFrame) -> list[Plane]:
    """Copies of the planes of a planar frame, each (rows, columns)."""
    return [_values(plane, bits_of(frame)).copy() for plane in frame.planes]


def _values(plane: VideoPlane, bits: int) -> Plane:
    """The values of a plane (rows, columns), in the plane's memory."""
    dtype: type[np.unsignedinteger[Any]] = np.uint8 if bits == 8 else np.uint16
    values: Plane = np.frombuffer(memoryview(plane), dtype)
    return values.reshape(-1, plane.line_size // values.itemsize)[: plane.height, : plane.width]


def as_frame(
    planes: list[Plane], layout: Layout, family: str, width: int, height: int
) -> av.VideoFrame:
    """A frame from planes, cut to a size, with the layout's bits per value.

    Gray planes get neutral chroma if the formats of the `family` have chroma.
    """
    frame = av.VideoFrame(width, height, format_of(family, layout.bits))
    for number, plane in enumerate(frame.planes):
        _values(plane, layout.bits)[:] = (
            planes[number][: plane.height, : plane.width]
            if number < len(planes)
            else 1 << layout.bits - 1
        )
    frame.colorspace = layout.colour.matrix
    frame.color_range = {None: 0, False: 1, True: 2}[layout.colour.full_range]
    return frame


def gray_of(y: Tensor, layout: Layout) -> Tensor:
    """Convert Y (N, 1, H, W) to grayscale in 0 to 1, the input of a grayscale network."""
    return ((y.float() - layout.black) / layout.scales[0]).clamp(0, 1)


def change_of_luma(change: Tensor, planes: list[Tensor], layout: Layout) -> list[Tensor]:
    """The planes with a change (N, 1, H, W) added to Y. A change of 1 is the full range."""
    return [_added(planes[0], change * layout.scales[0], layout), *planes[1:]]


def change_of_rgb(change: Tensor, planes: list[Tensor], layout: Layout) -> list[Tensor]:
    """The planes (N, 1, rows, columns) with a change in RGB (N, 3, H, W) added.

    A change of 1 is the full range. A sample of chroma changes by the mean over the pixels that
    it colours: libswscale gave the same sample to all of them.
    """
    red_weight, blue_weight = LUMA.get(layout.colour.matrix, BT601)
    red, green, blue = change.split(1, 1)
    y = red * red_weight + green * (1 - red_weight - blue_weight) + blue * blue_weight
    changed, halved = change_of_luma(y, planes, layout), layout.halved
    if halved is None:
        return changed
    size = (2 ** halved[1], 2 ** halved[0])
    for number, part in enumerate(
        ((blue - y) / (2 - 2 * blue_weight), (red - y) / (2 - 2 * red_weight)), 1
    ):
        mean = F.avg_pool2d(part, size, ceil_mode=True, count_include_pad=False)
        changed[number] = _added(planes[number], mean * layout.scales[1], layout)
    return changed


def _added(plane: Tensor, change: Tensor, layout: Layout) -> Tensor:
    return (plane.float() + change).round().clamp(0, layout.top).to(plane.dtype)


def stack(pictures: list[NDArray[Any]], device: torch.device) -> Tensor:
    """Stack pictures (H, W, C) or planes (H, W) into a tensor (N, C, H, W) of their type."""
    stacked = torch.from_numpy(np.stack(pictures)).to(device)
    return stacked[:, None] if stacked.dim() == 3 else stacked.permute(0, 3, 1, 2)
