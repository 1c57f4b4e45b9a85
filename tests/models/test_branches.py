"""Tests of convolutions that are trained as sums of branches."""

import pytest
import torch

from models.branches import BranchedConv
from models.build import GraphNetwork
from models.definitions.networks import NETWORKS


def moved_network(channels: int) -> GraphNetwork:
    torch.manual_seed(0)
    net = GraphNetwork(NETWORKS["ecbnet"].graph(channels)).eval()
    with torch.no_grad():
        for weights in net.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.1)
    return net


@pytest.mark.parametrize("channels", [1, 3])
def test_folded_network_has_the_same_output(channels: int) -> None:
    net, image = moved_network(channels), torch.rand(2, channels + 1, 23, 37)
    with torch.no_grad():
        unfolded = net(image)
        net.fold()
        folded = net(image)
    assert not any(isinstance(module, BranchedConv) for module in net.modules())
    assert not torch.allclose(unfolded, image[:, :channels], atol=1e-3)
    assert torch.allclose(folded, unfolded, atol=1e-5)


def test_sum_equals_its_branches() -> None:
    torch.manual_seed(0)
    conv, image = BranchedConv(5, 5).double(), torch.rand(1, 5, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        for weights in conv.parameters():
            weights.normal_()
        convolve = torch.nn.functional.conv2d
        wide = convolve(image, conv.expand[..., None, None])
        expected = image + convolve(image, conv.weight, conv.bias, padding=1)
        expected += convolve(wide, conv.squeeze, padding=1)
        for weights, edge in zip(conv.edge_weights, conv.edges, strict=True):
            mixed = convolve(image, weights[..., None, None])
            expected += convolve(mixed, edge.expand(5, 1, 3, 3), padding=1, groups=5)
        assert torch.allclose(conv(image), expected)


def test_every_branch_learns() -> None:
    net, image = moved_network(1), torch.rand(1, 2, 16, 16)
    net(image).square().mean().backward()
    for name, weights in net.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().max() > 0, name


@pytest.mark.parametrize("channels", [1, 3])
def test_network_with_as_many_maps_as_channels_starts_as_the_identity(channels: int) -> None:
    net = GraphNetwork(NETWORKS["ecbnet"].graph(channels, maps=channels))
    image = torch.rand(1, channels + 1, 16, 16)
    assert torch.equal(net(image), image[:, :channels])
