"""Conversion between RGB and the colours that a network sees: from damaged to restored image.

Images may have one more plane, the last, with QP / 51 (0 to 1; 0 where it is unknown). Nothing
converts it, and the restored image has no such plane.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from models.definitions.graph import Graph
from models.metrics import LUMA

Channels = Literal["rgb", "y", "ycbcr"]

Matrix = Sequence[Sequence[float]]

# ITU-R BT.601 in full range, as in JPEG (JFIF 1.02). Cb and Cr are shifted by 0.5 into 0 to 1.
TO_YCBCR: Matrix = (LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
FROM_YCBCR: Matrix = torch.linalg.inv(torch.tensor(TO_YCBCR, dtype=torch.float64)).tolist()
MIDDLE = (0.0, 0.5, 0.5)


class Restorer(nn.Module):
    """A network with its colour conversion: image (N, C, H, W) in 0 to 1 to the restored image.

    C is 3 for RGB, or 1, and one more with a QP plane. The output has 3 or 1. A network that takes
    the QP treats it as unknown in images without the plane; other networks get images without it.
    `channels`: the colours that the network sees. rgb: all three channels; ycbcr: all three after
    conversion; y: only Y. With y, the change of Y is added to R, G and B alike, so that Cb and Cr
    do not change.
    `mean`: a number per channel of the network, subtracted before the network and added after it.
    `dtype`: the type that layers compute in, by autocast; None for float32. Colours are always
    float32.
    """

    mean: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        channels: Channels,
        mean: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.net, self.channels, self.dtype = net, channels, dtype
        self.register_buffer("mean", mean)

    @property
    def takes_qp(self) -> bool:
        graph = getattr(getattr(self.net, "module", self.net), "graph", None)
        return isinstance(graph, Graph) and graph.takes_qp

    def forward(self, image: Tensor) -> Tensor:
        seen = self.encode(image)
        return self.decode(image, seen, self.restore(seen))

    def encode(self, image: Tensor) -> Tensor:
        """An image in the network's colours (N, 1 or 3, H, W), with its QP plane if it has one."""
        count = colours(image.shape[1])
        if count == 1 or self.channels == "rgb":
            return image
        converted = (
            mix(image[:, :count], TO_YCBCR[:1])
            if self.channels == "y"
            else mix(image[:, :count], TO_YCBCR, MIDDLE)
        )
        return torch.cat([converted, image[:, count:]], 1)

    def restore(self, seen: Tensor) -> Tensor:
        """Run the network on float32 values in its colours; returns float32 without a QP plane."""
        count = colours(seen.shape[1])
        mean = 0.0 if self.mean is None else self.mean[:, None, None]
        values = seen[:, :count] - mean
        if self.takes_qp:
            known = seen.shape[1] > count
            values = torch.cat([values, seen[:, count:] if known else 0 * seen[:, :1]], 1)
        with torch.autocast(seen.device.type, self.dtype) if self.dtype else nullcontext():
            output: Tensor = self.net(values)
        return output.float() + mean

    def decode(self, image: Tensor, seen: Tensor, output: Tensor) -> Tensor:
        """The restored image. `seen` and `output`: input and output of the network."""
        count = colours(image.shape[1])
        if count == 1 or self.channels == "rgb":
            return output
        if self.channels == "y":
            return image[:, :count] + (output - seen[:, :1])
        planes = [plane - middle for plane, middle in zip(output.split(1, 1), MIDDLE, strict=True)]
        return mix(torch.cat(planes, 1), FROM_YCBCR)


def mix(image: Tensor, matrix: Matrix, shift: Sequence[float] = (0.0, 0.0, 0.0)) -> Tensor:
    """Multiply each pixel's channels by a matrix (to, from) and add a summand per channel.

    The sum is written out: autocast or TF32 would compute a matrix product in reduced
    precision, with errors of up to half a grey level.
    """
    planes = image.split(1, 1)
    rows = [
        sum(
            (plane * factor for plane, factor in zip(planes, row, strict=True)),
            start=torch.zeros(()),
        )
        for row in matrix
    ]
    return torch.cat(
        [row + summand if summand else row for row, summand in zip(rows, shift, strict=False)], 1
    )


def colours(planes: int) -> int:
    """The planes of an image without that of the QP: 1 of 1 or 2, 3 of 3 or 4."""
    return 1 if planes <= 2 else 3


def channels_seen(channels: Channels, of_image: int) -> int:
    """The number of channels that a network sees of an image with `of_image` channels.

    Both without the QP plane.
    """
    return 1 if of_image == 1 or channels == "y" else 3
