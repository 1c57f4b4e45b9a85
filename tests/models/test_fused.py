"""Tests of graphs in fewer operations against the same layer by layer."""

import pytest
import torch
from torch import nn

from jobs.networks.device import computes_bfloat16
from models.build import GraphNetwork
from models.definitions.graph import INPUT, QP, Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import Activation, BatchNorm, Combine, Conv, Node, Op
from models.fused import FusedConv, FusedNetwork, Lookup
from tests.support.networks import moved

needs_bfloat16 = pytest.mark.skipif(
    not computes_bfloat16(torch.device("cpu")), reason="the processor does not compute in bfloat16"
)


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


@needs_bfloat16
@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if NETWORKS[name].graph(1).corrects_image]
)
def test_corrections_in_bfloat16_are_nearly_the_same(name: str) -> None:
    check_bfloat16(NETWORKS[name].graph(1))


@needs_bfloat16
@pytest.mark.parametrize(
    "op", [Activation("prelu"), BatchNorm(), Conv(4, (3, 3), pad=(1, 1), transposed=True)]
)
def test_layers_of_pasted_networks_compute_in_bfloat16(op: Op) -> None:
    nodes = (
        Node("first", Conv(4, (3, 3), pad=(1, 1)), (INPUT,)),
        Node("op", op, ("first",)),
        Node("last", Conv(1, (3, 3), pad=(1, 1)), ("op",)),
        Node("sum", Combine("sum"), (INPUT, "last")),
    )
    check_bfloat16(Graph(nodes, "sum", 1))


def check_bfloat16(graph: Graph) -> None:
    net, image = folded(graph), image_for(graph)
    with torch.inference_mode():
        expected = net(image)
        output = FusedNetwork(net, torch.bfloat16)(image)
    change = (expected - image[:, :1]).abs().max()
    assert 0 < (output - expected).abs().max() < 0.1 * change


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
