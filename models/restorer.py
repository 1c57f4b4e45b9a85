"""From RGB to what a network sees, and back: the whole way from a damaged image to a restored one."""

from typing import Literal

import torch
from torch import Tensor, nn

from models.metrics import LUMA

Channels = Literal["rgb", "y", "ycbcr"]

# ITU-R BT.601 in full range, as JPEG has it (JFIF 1.02); Cb and Cr are shifted by a half to lie in 0 to 1.
TO_YCBCR = torch.tensor([LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)], dtype=torch.float64)
FROM_YCBCR = torch.linalg.inv(TO_YCBCR)
MIDDLE = torch.tensor((0.0, 0.5, 0.5))


class Restorer(nn.Module):
    """A network with its colours: (N, C, H, W) in 0 to 1 to the same, restored. C is 3 for RGB, or 1.

    `channels`: rgb, all three as they are; ycbcr, all three; y, the network sees and restores Y, and what it
    changes is added to R, G and B alike, so that Cb and Cr stay what they were.
    `mean`, one number a channel that the network sees, is subtracted before and added after it.
    """

    mean: Tensor | None
    to_ycbcr: Tensor
    from_ycbcr: Tensor
    middle: Tensor

    def __init__(self, net: nn.Module, channels: Channels, mean: Tensor | None = None) -> None:
        super().__init__()
        self.net, self.channels = net, channels
        self.register_buffer("mean", mean)
        self.register_buffer("to_ycbcr", TO_YCBCR.float(), persistent=False)
        self.register_buffer("from_ycbcr", FROM_YCBCR.float(), persistent=False)
        self.register_buffer("middle", MIDDLE, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        seen = self.encode(image)
        return self.decode(image, seen, self.restore(seen))

    def encode(self, image: Tensor) -> Tensor:
        """An image in the network's colours, (N, 1 or 3, H, W): what it sees, and what it is to give back."""
        if image.shape[1] == 1 or self.channels == "rgb":
            return image
        if self.channels == "y":
            return mix(image, self.to_ycbcr[:1])
        return mix(image, self.to_ycbcr) + self.middle[:, None, None]

    def restore(self, seen: Tensor) -> Tensor:
        """The network alone, in float32."""
        if self.mean is None:
            output: Tensor = self.net(seen)
            return output.float()
        mean = self.mean[:, None, None]
        shifted: Tensor = self.net(seen - mean)
        return shifted.float() + mean

    def decode(self, image: Tensor, seen: Tensor, output: Tensor) -> Tensor:
        """The restored image, of what the network made of what it saw."""
        if image.shape[1] == 1 or self.channels == "rgb":
            return output
        if self.channels == "y":
            return image + (output - seen)
        return mix(output - self.middle[:, None, None], self.from_ycbcr)


def mix(image: Tensor, matrix: Tensor) -> Tensor:
    """Each pixel's channels by a matrix (to, from): as a product over the last axis, where channels_last has them."""
    return (image.permute(0, 2, 3, 1) @ matrix.T).permute(0, 3, 1, 2)


def channels_seen(channels: Channels, of_image: int) -> int:
    """How many channels a network sees of an image with so many."""
    return 1 if of_image == 1 or channels == "y" else 3
