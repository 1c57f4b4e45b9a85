"""Tests of graphs in fewer operations against the same layer by layer."""

import pytest
import torch
from torch import nn

from models.build import GraphNetwork
from models.definitions.graph import INPUT, QP, Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import Activation, Combine, Conv, Node
from models.fused import FusedConv, FusedNetwork, Lookup
from tests.support.networks import moved


def folded(graph: Graph) -> GraphNetwork:
    net = moved(graph)
    net.fold()
    return net


def image_for(graph: Graph) -> torch.Tensor:
    """Random colours, and QPs as they are stored."""
    image = torch.rand(2, graph.planes, 21, 34)
    if graph.takes_qp:
        image[:, -1] = torch.randint(0, 52, (2, 21, 34)) / 51
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_the_same(name: str, channels: int) -> None:
    net = folded(NETWORKS[name].graph(channels))
    image = image_for(net.graph)
    fused = FusedNetwork(net, torch.float32)
    with torch.inference_mode():
        output, expected = fused(image), net(image)
    assert (output - expected).abs().max() < 1e-5 * max(1, expected.abs().max())
    assert not any(type(layer) is nn.Conv2d for layer in fused.layers)


def test_relus_and_layers_of_the_qp_alone_take_no_operations() -> None:
    fused = FusedNetwork(folded(NETWORKS["ecbnet"].graph(1)), torch.float32)
    kinds = [type(layer) for layer in fused.layers]
    assert (kinds.count(FusedConv), kinds.count(Lookup), kinds.count(nn.ReLU)) == (4, 1, 0)


def test_values_with_several_uses_are_kept() -> None:
    conv = Conv(1, (3, 3), pad=(1, 1))
    both = Graph(
        (
            Node("conv", conv, (INPUT,)),
            Node("relu", Activation("relu"), ("conv",)),
            Node("qp-conv", Conv(1, (1, 1)), (QP,)),
            Node("qp-relu", Activation("relu"), ("qp-conv",)),
            Node("sum", Combine("sum"), ("conv", "relu", "qp-conv", "qp-relu")),
        ),
        "sum",
        1,
    )
    only_qp = Graph((Node("show", Conv(1, (1, 1)), (QP,)),), "show", 1)
    before_relu = Graph(both.nodes[:2], "conv", 1)
    named_as_the_qp = Graph(
        (
            Node(QP, conv, (INPUT,)),
            Node("relu", Activation("relu"), (QP,)),
            Node("sum", Combine("sum"), (QP, "relu")),
        ),
        "sum",
        1,
    )
    for graph in (both, only_qp, before_relu, named_as_the_qp):
        net = folded(graph)
        image = image_for(graph)
        with torch.inference_mode():
            assert torch.allclose(FusedNetwork(net, torch.float32)(image), net(image), atol=1e-5)
