"""The Y, Cb and Cr of a frame, and what a network's change means for them.

What a network changes in RGB is added to the planes that were decoded. What it leaves alone therefore stays bit for bit,
though the way from YUV to RGB and back would round, and blur the chroma.
"""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from jobs.media.h264 import HD
from jobs.media.images import Picture
from jobs.media.video import Colour, colour_of, reformat

Plane = NDArray[np.uint8]

FORMATS = {(0, 0): "yuv444p", (1, 0): "yuv422p", (1, 1): "yuv420p"}
"""By how often the columns and the rows of the chroma were halved."""

LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Weights of R and B in Y by matrix_coefficients (ITU-T H.273); all others are BT.601."""
BT601 = (0.299, 0.114)


@dataclass(frozen=True)
class Layout:
    """How the planes lie, and what they mean."""

    format: str
    width: int
    height: int
    colour: Colour

    @property
    def halved(self) -> tuple[int, int] | None:
        """(columns, rows) of the chroma, how often halved; None where there is none."""
        return next((halved for halved, name in FORMATS.items() if name == self.format), None)

    @property
    def scales(self) -> tuple[float, float]:
        """Steps of Y, and of Cb and Cr, over the whole of their range."""
        return (255.0, 255.0) if self.colour.full_range else (219.0, 224.0)


def planar(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame with planes of 8 bits: as it is where it has such, else converted, chroma as fine as it was."""
    format = frame.format
    if format.name.replace("yuvj", "yuv") in (*FORMATS.values(), "gray"):
        return frame
    if format.is_rgb or format.name == "pal8":
        matrix = Colorspace.ITU709 if frame.height >= HD else Colorspace.SMPTE170M
        converted = reformat(
            frame, "yuv444p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
        )
        converted.colorspace, converted.color_range = 1 if frame.height >= HD else 6, 1
        return converted
    gray = len([one for one in format.components if not one.is_alpha]) == 1
    columns, rows = (
        int(np.log2(64 / side)) for side in (format.chroma_width(64), format.chroma_height(64))
    )
    full = frame.color_range == 2 or (gray and frame.color_range == 0)
    kept: dict[str, Any] = {"src_color_range": 2, "dst_color_range": 2} if full else {}
    return reformat(frame, "gray" if gray else FORMATS.get((columns, rows), "yuv444p"), **kept)


def loss_of(frame: av.VideoFrame) -> str:
    """What `planar` loses of a frame, in words; empty where nothing is lost."""
    format = frame.format
    bits = max(one.bits for one in format.components)
    if bits > 8:
        return f"its {bits} bits a value become 8"
    if any(one.is_alpha for one in format.components):
        return "its transparency is left out"
    return "its RGB becomes YUV 4:4:4" if format.is_rgb or format.name == "pal8" else ""


def layout_of(frame: av.VideoFrame) -> Layout:
    """Of a planar frame. yuvj says by its name that its range is full, and gray is full where nothing is signalled."""
    colour = colour_of(frame)
    full = frame.format.name.startswith("yuvj") or (
        frame.format.name == "gray" and colour.full_range is None
    )
    return Layout(
        frame.format.name.replace("yuvj", "yuv"),
        frame.width,
        frame.height,
        Colour(colour.matrix, full or colour.full_range),
    )


def planes_of(frame: av.VideoFrame) -> list[Plane]:
    """Copies of a planar frame's planes, each (rows, columns)."""
    return [
        np.frombuffer(memoryview(plane), np.uint8)
        .reshape(-1, plane.line_size)[: plane.height, : plane.width]
        .copy()
        for plane in frame.planes
    ]


def as_frame(
    planes: list[Plane], layout: Layout, format: str, width: int, height: int
) -> av.VideoFrame:
    """A frame of those planes, cut to a size; gray gets the chroma that `format` asks for, without colour."""
    frame = av.VideoFrame(width, height, format)
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width
        ]
        rows[:] = planes[number][: plane.height, : plane.width] if number < len(planes) else 128
    frame.colorspace = layout.colour.matrix
    frame.color_range = {None: 0, False: 1, True: 2}[layout.colour.full_range]
    return frame


def gray_of(y: Tensor, layout: Layout) -> Tensor:
    """Y (N, 1, H, W) in its steps as grayscale in 0 to 1, as a network of grayscale sees it."""
    low = 0.0 if layout.colour.full_range else 16.0
    return ((y.float() - low) / layout.scales[0]).clamp(0, 1)


def change_of_luma(change: Tensor, planes: list[Tensor], layout: Layout) -> list[Tensor]:
    """The planes, Y changed by (N, 1, H, W), of which 1 is the whole range."""
    return [_added(planes[0], change * layout.scales[0]), *planes[1:]]


def change_of_rgb(change: Tensor, planes: list[Tensor], layout: Layout) -> list[Tensor]:
    """The planes, uint8 (N, 1, rows, columns), changed by RGB (N, 3, H, W), of which 1 is the whole range.

    A sample of chroma changes by the mean over the pixels that it colours, as libswscale gave it to all of them."""
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
        changed[number] = _added(planes[number], mean * layout.scales[1])
    return changed


def _added(plane: Tensor, change: Tensor) -> Tensor:
    return (plane + change).round().clamp(0, 255).to(torch.uint8)


def stack(pictures: list[Picture] | list[Plane], device: torch.device) -> Tensor:
    """(H, W, C) or (H, W) each as one uint8 tensor (N, C, H, W)."""
    stacked = torch.from_numpy(np.stack(pictures)).to(device)
    return stacked[:, None] if stacked.dim() == 3 else stacked.permute(0, 3, 1, 2)
