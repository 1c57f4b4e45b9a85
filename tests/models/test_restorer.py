"""Colours on their way to a network and back."""

import pytest
import torch
from PIL import Image
from torch import nn

from models.restorer import Channels, Restorer, channels_seen


class Brighter(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + 0.1


@pytest.mark.parametrize("channels", ["rgb", "y", "ycbcr"])
@pytest.mark.parametrize("of_image", [1, 3])
def test_an_identity_gives_the_image_back(channels: Channels, of_image: int) -> None:
    image = torch.rand(2, of_image, 9, 12)
    mean = torch.full((channels_seen(channels, of_image),), 0.4)
    for restorer in (Restorer(nn.Identity(), channels), Restorer(nn.Identity(), channels, mean)):
        assert torch.allclose(restorer(image), image, atol=1e-6)


def test_what_a_network_adds_to_y_leaves_chroma_as_it_was() -> None:
    image = torch.rand(1, 3, 9, 12)
    output = Restorer(Brighter(), "y")(image)
    seen = Restorer(nn.Identity(), "ycbcr")
    before, after = seen.encode(image), seen.encode(output)
    assert torch.allclose(after[:, 0], before[:, 0] + 0.1, atol=1e-5)
    assert torch.allclose(after[:, 1:], before[:, 1:], atol=1e-5)


def test_ycbcr_is_that_of_jpeg() -> None:
    pixels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8)
    theirs = torch.tensor(
        bytearray(Image.fromarray(pixels.numpy()).convert("YCbCr").tobytes())
    ).view(8, 8, 3)
    ours = (
        Restorer(nn.Identity(), "ycbcr")
        .encode(pixels.permute(2, 0, 1)[None] / 255)[0]
        .permute(1, 2, 0)
        * 255
    )
    assert (ours - theirs).abs().max() <= 1.01


def test_the_mean_is_what_the_network_does_not_see() -> None:
    seen = []

    class Look(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(image)
            return image

    Restorer(Look(), "rgb", torch.tensor([0.1, 0.2, 0.3]))(torch.full((1, 3, 2, 2), 0.5))
    assert torch.allclose(seen[0][0, :, 0, 0], torch.tensor([0.4, 0.3, 0.2]))
