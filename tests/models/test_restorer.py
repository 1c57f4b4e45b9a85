"""Tests of the colour conversion before and after a network."""

import pytest
import torch
from PIL import Image
from torch import nn

from models.definitions.graph import INPUT, QP, Graph
from models.definitions.operations import Concat, Conv, Node
from models.restorer import Channels, Restorer, channels_seen


class Brighter(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + 0.1


@pytest.mark.parametrize("channels", ["rgb", "y", "ycbcr"])
@pytest.mark.parametrize("of_image", [1, 3])
def test_identity_returns_the_image(channels: Channels, of_image: int) -> None:
    image = torch.rand(2, of_image, 9, 12)
    mean = torch.full((channels_seen(channels, of_image),), 0.4)
    for restorer in (Restorer(nn.Identity(), channels), Restorer(nn.Identity(), channels, mean)):
        assert torch.allclose(restorer(image), image, atol=1e-6)


def test_change_of_y_keeps_chroma() -> None:
    image = torch.rand(1, 3, 9, 12)
    output = Restorer(Brighter(), "y")(image)
    ycbcr = Restorer(nn.Identity(), "ycbcr")
    before, after = ycbcr.encode(image), ycbcr.encode(output)
    assert torch.allclose(after[:, 0], before[:, 0] + 0.1, atol=1e-5)
    assert torch.allclose(after[:, 1:], before[:, 1:], atol=1e-5)


def test_ycbcr_equals_jpeg() -> None:
    pixels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8)
    reference = torch.tensor(
        bytearray(Image.fromarray(pixels.numpy()).convert("YCbCr").tobytes())
    ).view(8, 8, 3)
    ours = (
        Restorer(nn.Identity(), "ycbcr")
        .encode(pixels.permute(2, 0, 1)[None] / 255)[0]
        .permute(1, 2, 0)
        * 255
    )
    assert (ours - reference).abs().max() <= 1.01


def test_network_input_is_without_the_mean() -> None:
    inputs = []

    class Recorder(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            inputs.append(image)
            return image

    Restorer(Recorder(), "rgb", torch.tensor([0.1, 0.2, 0.3]))(torch.full((1, 3, 2, 2), 0.5))
    assert torch.allclose(inputs[0][0, :, 0, 0], torch.tensor([0.4, 0.3, 0.2]))


class WithQp(nn.Module):
    """Adds a tenth of the QP plane to the image."""

    graph = Graph(
        (Node("join", Concat(), (INPUT, QP)), Node("last", Conv(1, (1, 1)), ("join",))), "last", 1
    )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :-1] + image[:, -1:] / 10


@pytest.mark.parametrize("channels", ["rgb", "y", "ycbcr"])
@pytest.mark.parametrize("of_image", [1, 3])
def test_qp_plane_reaches_the_network_unchanged(channels: Channels, of_image: int) -> None:
    image, qp = torch.rand(2, of_image, 9, 12), torch.rand(2, 1, 9, 12)
    mean = torch.full((channels_seen(channels, of_image),), 0.4)
    restorer = Restorer(WithQp(), channels, mean)
    restored = restorer(torch.cat([image, qp], 1))
    assert restored.shape == image.shape
    seen = restorer.encode(image)
    assert torch.allclose(restorer.encode(restored), seen + qp / 10, atol=1e-5)


def test_qp_is_unknown_in_an_image_without_its_plane() -> None:
    image = torch.rand(2, 3, 9, 12)
    assert torch.allclose(Restorer(WithQp(), "rgb")(image), image)


def test_network_without_qp_ignores_the_plane() -> None:
    image = torch.rand(2, 4, 9, 12)
    assert torch.allclose(Restorer(Brighter(), "rgb")(image), image[:, :3] + 0.1)
