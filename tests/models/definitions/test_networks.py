"""Tests of networks against their papers, and of their initial weights."""

import inspect

import pytest
import torch
from torch.nn import functional as F

from jobs.specs import networks as specs
from jobs.specs.base import members
from jobs.specs.model import ModelSpec
from models.build import GraphNetwork, fill
from models.definitions.graph import Graph
from models.definitions.identity import identity_start
from models.definitions.networks import NETWORKS
from models.definitions.operations import (
    Activation,
    Combine,
    Concat,
    Conv,
    Filler,
    GraphError,
    Node,
)

WITHOUT_SKIP = [
    ("srcnn-9-1-5", {"skip": False}),
    ("srcnn-9-5-5", {"skip": False}),
    ("edsr", {"skip": False}),
]
ALL = [*((name, {}) for name in NETWORKS), *WITHOUT_SKIP, ("ar-cnn", {"skip": True})]


def graph_of(name: str, **settings: int | bool) -> Graph:
    return NETWORKS[name].graph(3, **settings)


@pytest.mark.parametrize(("name", "settings"), ALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_untrained_network_returns_its_input(
    name: str, settings: dict[str, bool], channels: int
) -> None:
    net = GraphNetwork(NETWORKS[name].graph(channels, **settings)).eval()
    for size in ((24, 40), (23, 37)):
        image = torch.rand(2, net.graph.planes, *size)
        assert torch.allclose(net(image), image[:, :channels], atol=1e-6)


@pytest.mark.parametrize(("name", "settings"), ALL)
def test_start_of_the_paper_is_no_identity(name: str, settings: dict[str, bool]) -> None:
    net = GraphNetwork(graph_of(name, **settings), "paper").eval()
    image = torch.rand(1, net.graph.planes, 24, 40)
    assert not torch.equal(net(image), image[:, :3])


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("srcnn-9-1-5", 8_032),  # Dong et al. 2014, section 4.1
        ("srcnn-9-5-5", 57_184),  # Dong et al. 2016, section 4.3.2
        ("ar-cnn", 106_448),  # Dong et al. 2015, section 4
        ("vrcnn", 54_512),  # Dai et al. 2017, table 1
        ("vdsr", 664_704),
    ],
)
def test_number_of_luma_weights_equals_the_paper(name: str, weights: int) -> None:
    assert NETWORKS[name].graph(1).multiply_adds() == weights


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("channels", [1, 3])
def test_parameter_count_equals_torch(name: str, channels: int) -> None:
    graph = NETWORKS[name].graph(channels)
    net = GraphNetwork(graph)
    assert sum(graph.parameters().values()) == sum(
        parameter.numel() for parameter in net.parameters()
    )


@pytest.mark.parametrize("name", list(NETWORKS))
def test_receptive_field_equals_extent_of_gradients(name: str) -> None:
    torch.manual_seed(1)
    graph = NETWORKS[name].graph(1)
    # All weights at a positive number, so that no path is dead.
    net = GraphNetwork(graph).eval().double()
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 1e-2)
    image = torch.ones(1, graph.planes, 61, 61, dtype=torch.float64, requires_grad=True)
    net(image)[0, 0, 30, 30].backward()
    assert image.grad is not None
    touched = (image.grad[0, 0] != 0).nonzero()
    size = (touched.max(0).values - touched.min(0).values + 1).tolist()
    assert tuple(size) == graph.receptive_field()


@pytest.mark.parametrize("name", list(NETWORKS))
def test_shapes_equal_outputs_of_layers(name: str) -> None:
    graph = NETWORKS[name].graph(3)
    net, outputs = GraphNetwork(graph).eval(), {}
    for node in graph.nodes:
        net.layer(node).register_forward_hook(
            lambda _, __, output, name=node.name: outputs.update({name: tuple(output.shape[1:])})
        )
    net(torch.rand(1, graph.planes, 20, 28))
    shapes = graph.shapes(20, 28)
    assert outputs == {
        node.name: (shapes[node.name].channels, shapes[node.name].height, shapes[node.name].width)
        for node in graph.nodes
    }


def test_spec_has_settings_and_defaults_of_the_network_function() -> None:
    kinds = members(ModelSpec.model_fields["network"])
    assert set(kinds) == {*NETWORKS, "custom", "package", "python"}
    for name, network in NETWORKS.items():
        spec = kinds[name](**{}).model_dump(exclude={"name", "start"})
        defaults = {
            key: parameter.default
            for key, parameter in inspect.signature(network.graph).parameters.items()
            if key != "channels"
        }
        assert spec == defaults, name


def test_spec_keeps_depth() -> None:
    assert specs.Vdsr(depth=5).model_dump()["depth"] == 5


def test_check_rejects_wrong_output_size() -> None:
    conv = Node("conv", Conv(3, (2, 2), pad=(1, 1)), ("input",))
    with pytest.raises(GraphError, match="“conv”, is 3×65×65 for an image of 3×64×64"):
        Graph((conv,), "conv", 3).check()


def test_check_rejects_sum_of_unequal_shapes() -> None:
    conv = Node("conv", Conv(8, (3, 3), pad=(1, 1)), ("input",))
    sum = Node("sum", Combine(), ("input", "conv"), line=7)
    with pytest.raises(
        GraphError, match="“sum” combines “input” of 3×64×64 with “conv” of 8×64×64"
    ) as error:
        Graph((conv, sum), "sum", 3).check()
    assert error.value.line == 7


def test_no_identity_start_behind_a_sigmoid() -> None:
    nodes = (
        Node("conv", Conv(3, (3, 3), pad=(1, 1)), ("input",)),
        Node("act", Activation("sigmoid"), ("conv",)),
    )
    graph = Graph(nodes, "act", 3)
    assert identity_start(graph) is None
    assert GraphNetwork(graph)(torch.rand(1, 3, 9, 9)).shape == (1, 3, 9, 9)


def test_identity_passes_through_first_input_of_concat() -> None:
    nodes = (
        Node("a", Conv(4, (3, 3), pad=(1, 1)), ("input",)),
        Node("b", Conv(4, (5, 5), pad=(2, 2)), ("input",)),
        Node("both", Concat(), ("a", "b")),
        Node("out", Conv(3, (1, 1)), ("both",)),
    )
    graph = Graph(nodes, "out", 3)
    assert identity_start(graph) == {"a": "dirac", "out": "dirac"}
    image = torch.rand(1, 3, 12, 12)
    assert torch.allclose(GraphNetwork(graph)(image), image, atol=1e-6)


@pytest.mark.parametrize(
    ("filler", "deviation"),
    [
        (Filler("xavier"), (1 / 75) ** 0.5),
        (Filler("msra"), (2 / 75) ** 0.5),
        (Filler("gaussian", 0.02), 0.02),
        (Filler("uniform", 0.5), 0.5 / 12**0.5),
        (Filler("constant", 0.3), 0.0),
    ],
)
def test_fillers_have_the_standard_deviation_of_caffe(filler: Filler, deviation: float) -> None:
    torch.manual_seed(0)
    weight = torch.empty(400, 3, 5, 5)
    fill(weight, filler)
    assert float(weight.std()) == pytest.approx(deviation, rel=0.03, abs=1e-9)


def test_bilinear_filler_interpolates() -> None:
    weight = torch.empty(1, 1, 4, 4)
    fill(weight, Filler("bilinear"))
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.allclose(weight[0, 0], line[:, None] * line[None, :])


@pytest.mark.parametrize("size", [(24, 40), (23, 37)])
def test_ffdnet_is_the_paper_s_on_blocks_of_two_by_two_pixels(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = GraphNetwork(NETWORKS["ffdnet"].graph(1, depth=3, maps=5, qp=False), "paper").eval()
    first, middle, last = (net.get_parameter(f"conv{number}.weight") for number in (1, 2, 3))
    biases = [net.get_parameter(f"conv{number}.bias") for number in (1, 2, 3)]
    inner = first.unflatten(-1, (3, 2)).unflatten(-3, (3, 2))  # (maps, 1, 3, 2, 3, 2)
    inner = inner.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    outer = last.unflatten(-1, (3, 2)).unflatten(-3, (3, 2)).flip(2, 4)
    outer = outer.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
    image = torch.rand(1, 1, *size)
    # Blocks begin at the pixel before the image's first, and end with or behind its last.
    framed = F.pad(4 * image - 2, (1, 1 - size[1] % 2, 1, 1 - size[0] % 2))
    blocks = F.conv2d(F.pixel_unshuffle(framed, 2), inner, biases[0], padding=1).relu()
    blocks = F.conv2d(blocks, middle, biases[1], padding=1).relu()
    change = F.pixel_shuffle(F.conv2d(blocks, outer, biases[2].repeat(4), padding=1), 2)
    change = change[..., 1 : 1 + size[0], 1 : 1 + size[1]]
    with torch.no_grad():
        assert torch.allclose(net(image), image + 0.02 * change, atol=1e-5)
