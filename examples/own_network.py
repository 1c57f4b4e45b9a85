"""A network of your own: three convolutions whose output is added to the image.

`--network python --network-file examples/own_network.py`: docs/how-to/custom-network.md.
"""

from torch import Tensor, nn


class Residual(nn.Module):
    """The last convolution starts at zero, so that the untrained network returns its input."""

    def __init__(self, channels: int, maps: int = 32) -> None:
        super().__init__()
        last = nn.Conv2d(maps, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, maps, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(maps, maps, 3, padding=1),
            nn.ReLU(),
            last,
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore images (N, C, H, W) with values from 0 to 1."""
        restored: Tensor = image + self.layers(image)
        return restored


def network(channels: int) -> nn.Module:
    """The network for images with this number of channels: 1 for Y, 3 for RGB and YCbCr."""
    return Residual(channels)
