"""Fully convolutional networks that map an image (N, C, H, W), values 0 to 1, to one of equal size."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

NETWORKS: dict[str, Callable[..., nn.Module]] = {}


def network(name: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    def register(cls: type[nn.Module]) -> type[nn.Module]:
        NETWORKS[name] = cls
        return cls

    return register


def parameter_count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@network("srcnn-9-1-5")
class Srcnn(nn.Module):
    """SRCNN 9-1-5 (Dong, Loy, He, Tang: Learning a Deep Convolutional Network for Image
    Super-Resolution, ECCV 2014): 64 maps of 9x9, 32 of 1x1, and 5x5 back to the image.

    Differs from the paper in that borders are padded, so that the output has the input's size,
    and in its start, which makes the untrained network the identity. With `skip` the last layer
    starts at zero and its output is added to the input. Without, Dirac weights carry the image along
    the first `channels` maps: an image is never negative, so the ReLUs let it pass.
    """

    def __init__(self, channels: int = 3, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.conv1 = nn.Conv2d(channels, 64, 9, padding=4)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(64, 32, 1)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(32, channels, 5, padding=2)
        self._start_as_identity(channels)

    def forward(self, image: Tensor) -> Tensor:
        features = self.relu1(self.conv1(image))
        features = self.relu2(self.conv2(features))
        output: Tensor = self.conv3(features)
        return image + output if self.skip else output

    @torch.no_grad()
    def _start_as_identity(self, channels: int) -> None:
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.conv3.weight)
        nn.init.zeros_(self.conv3.bias)  # type: ignore[arg-type]
        if not self.skip:
            for conv in (self.conv1, self.conv2, self.conv3):
                conv.weight[:channels] = 0
                nn.init.dirac_(conv.weight[:channels])
