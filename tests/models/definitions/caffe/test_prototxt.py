"""Tests of the prototxt reader: parsed networks, and errors with their lines."""

import random
from dataclasses import astuple

import pytest
import torch
from torch.nn import functional as F

from jobs.core.paths import EXAMPLES
from models.build import GraphNetwork
from models.definitions.caffe.prototxt import ParsedNetwork, read
from models.definitions.graph import INPUT, Graph
from models.definitions.identity import identity_start
from models.definitions.networks import NETWORKS
from models.definitions.operations import (
    Activation,
    Combine,
    Conv,
    Filler,
    GraphError,
    Pool,
    Power,
    Take,
)

TEXTS = {path.stem: path.read_text() for path in sorted(EXAMPLES.glob("*.prototxt"))}

IMAGE = (
    'layer { name: "data" type: "Data" top: "data" top: "label" '
    "transform_param { scale: 0.00392156862745098 } }\n"
)


def conv(
    name: str,
    bottom: str = "data",
    top: str = "",
    maps: int = 1,
    more: str = 'weight_filler { type: "xavier" }',
) -> str:
    param = f"convolution_param {{ num_output: {maps} kernel_size: 3 pad: 1 {more} }}"
    blobs = f'bottom: "{bottom}" top: "{top or name}"'
    return f'layer {{ name: "{name}" type: "Convolution" {blobs} {param} }}\n'


def shared(name: str, bottom: str = "data", maps: int = 1, factor: str = "lr_mult: 1") -> str:
    param = f'param {{ name: "w" {factor} }} convolution_param'
    return conv(name, bottom, maps=maps).replace("convolution_param", param)


def loss(output: str, label: str = "label") -> str:
    bottoms = f'bottom: "{output}" bottom: "{label}"'
    return f'layer {{ name: "loss" type: "EuclideanLoss" {bottoms} top: "loss" }}\n'


def data(name: str) -> str:
    return f'layer {{ name: "{name}" type: "Data" top: "{name}" }}\n'


def power(name: str, bottom: str, scale: float) -> str:
    param = f"power_param {{ scale: {scale} }}"
    return f'layer {{ name: "{name}" type: "Power" bottom: "{bottom}" top: "{name}" {param} }}\n'


def concat(*bottoms: str) -> str:
    lines = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "k" type: "Concat" {lines} top: "k" }}\n'


def enlarge(name: str, bottom: str = "data") -> str:
    param = "convolution_param { num_output: 1 kernel_size: 16 stride: 16 }"
    blobs = f'bottom: "{bottom}" top: "{name}"'
    return f'layer {{ name: "{name}" type: "Deconvolution" {blobs} {param} }}\n'


def python_loss(layer: str, module: str = "layers") -> str:
    param = f'python_param {{ module: "{module}" layer: "{layer}" }}'
    return f'layer {{ name: "loss" type: "Python" bottom: "a" bottom: "label" {param} }}\n'


def ops(parsed: ParsedNetwork) -> dict[str, object]:
    return {node.name: node.op for node in parsed.graph.nodes}


def same(first: Graph, second: Graph) -> bool:
    facts = (
        first.parameters(),
        first.multiply_adds(),
        first.receptive_field(),
        [str(shape) for shape in first.shapes().values()],
    )
    return facts == (
        second.parameters(),
        second.multiply_adds(),
        second.receptive_field(),
        [str(shape) for shape in second.shapes().values()],
    )


def test_examples_equal_networks_of_the_registry() -> None:
    plain, residual = (read(TEXTS[name], 1) for name in ("sr-model", "residual"))
    assert same(plain.graph, NETWORKS["srcnn-9-1-5"].graph(1, skip=False))
    assert same(residual.graph, NETWORKS["srcnn-9-1-5"].graph(1, skip=True))
    assert (plain.loss, plain.notes, residual.loss) == ("l1", (), "l1")
    last = ops(plain)["conv3"]
    assert isinstance(last, Conv)
    assert (last.rate, last.weights) == ((0.1, 0.1), Filler("gaussian", 0.001))


def test_residual_text_starts_as_identity() -> None:
    net = GraphNetwork(read(TEXTS["residual"], 1).graph, "identity")
    image = torch.rand(1, 1, 20, 30)
    assert torch.equal(net(image), image)


def test_graph_scales_pixel_values_to_0_to_255_and_back() -> None:
    """The text scales neither data nor label: convolution and loss see 0..255."""
    parsed = read(conv("conv") + loss("conv"), 1)
    assert [node.name for node in parsed.graph.nodes] == ["conv-in", "conv", "output"]
    net = GraphNetwork(parsed.graph, "paper")
    image = torch.rand(1, 1, 9, 9)
    weights, biases = (net.get_parameter(f"conv.{name}") for name in ("weight", "bias"))
    expected = F.conv2d(255 * image, weights, biases, padding=1) / 255
    assert torch.allclose(net(image), expected, atol=1e-5)


def test_residual_text_in_pixel_values_starts_as_identity() -> None:
    """The sum is computed in 0..255, with a scaling before and after it."""
    add = 'layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "b" top: "sum" }\n'
    net = GraphNetwork(
        read(conv("a", maps=8) + conv("b", "a") + add + loss("sum"), 1).graph, "identity"
    )
    image = torch.rand(1, 1, 12, 16)
    assert torch.allclose(net(image), image, atol=1e-6)


def test_inverse_scalings_cancel_out() -> None:
    scale = (
        'layer {{ name: "{0}" type: "Power" bottom: "{1}" top: "{0}" '
        "power_param {{ scale: 0.0078431372549 shift: -1 }} }}\n"
    )
    text = (
        scale.format("x", "data")
        + conv("conv", "x")
        + scale.format("t", "label")
        + loss("conv", "t")
    )
    parsed = read(text, 1)
    first, last = (ops(parsed)[name] for name in ("x", "output"))
    assert isinstance(first, Power)
    assert astuple(first) == pytest.approx((1.0, 2.0, -1.0)), "0..1 becomes -1..1"
    assert isinstance(last, Power)
    assert astuple(last) == pytest.approx((1.0, 0.5, 0.5))
    assert identity_start(parsed.graph) == {"conv": "dirac"}
    assert [*ops(read(IMAGE + conv("conv") + loss("conv"), 1))] == ["conv"]


def test_scale_of_data_layer_applies() -> None:
    text = IMAGE.replace("}", "mean_value: 127.5 }", 1) + conv("conv")
    (power,) = [op for op in ops(read(text, 1)).values() if isinstance(op, Power)][:1]
    assert (power.scale, power.shift) == pytest.approx((1.0, -0.5))


def test_in_place_layers_take_the_newest_blob() -> None:
    relu = (
        'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" '
        "relu_param { negative_slope: 0.25 } }\n"
    )
    parsed = read(IMAGE + conv("a") + relu + conv("b", "a") + loss("b"), 1)
    assert {node.name: node.inputs for node in parsed.graph.nodes} == {
        "a": (INPUT,),
        "relu": ("a",),
        "b": ("relu",),
    }
    assert ops(parsed)["relu"] == Activation("relu", 0.25)


def test_parses_every_supported_layer() -> None:
    text = IMAGE + conv(
        "c", maps=4, more='dilation: 2 pad: 1 weight_filler { type: "msra" } bias_term: false'
    ).replace("pad: 1", "pad: 2", 1).replace("pad: 1 ", "", 1)
    text += """
    layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 0.01 } }
    layer { name: "sc" type: "Scale" bottom: "c" top: "c"
            scale_param { bias_term: true filler { value: 0.5 } } }
    layer { name: "pr" type: "PReLU" bottom: "c" top: "c" param { lr_mult: 3 } }
    layer { name: "el" type: "ELU" bottom: "c" top: "e" elu_param { alpha: 0.5 } }
    layer { name: "si" type: "Sigmoid" bottom: "c" top: "s" }
    layer { name: "ta" type: "TanH" bottom: "c" top: "t" }
    layer { name: "po" type: "Pooling" bottom: "c" top: "p"
            pooling_param { pool: AVE kernel_h: 3 kernel_w: 1 pad_h: 1 pad_w: 0 } }
    layer { name: "ew" type: "Eltwise" bottom: "e" bottom: "s" bottom: "t" bottom: "p" top: "w"
            eltwise_param { operation: SUM coeff: 1 coeff: -1 coeff: 2 coeff: 0.5 } }
    layer { name: "sl" type: "Slice" bottom: "w" top: "w1" top: "w2"
            slice_param { slice_point: 1 } }
    layer { name: "si2" type: "Silence" bottom: "w1" }
    layer { name: "de" type: "Deconvolution" bottom: "w2" top: "d"
            param { lr_mult: 2 decay_mult: 0 } param { lr_mult: 4 }
            convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1
                                weight_filler { type: "bilinear" } } }
    layer { name: "cr" type: "Crop" bottom: "d" bottom: "w" top: "r"
            crop_param { axis: 2 offset: 1 offset: 2 } }
    layer { name: "dr" type: "Dropout" bottom: "r" top: "r" dropout_param { dropout_ratio: 0.25 } }
    layer { name: "pw" type: "Power" bottom: "r" top: "q"
            power_param { power: 2 scale: 3 shift: 4 } }
    layer { name: "co" type: "Concat" bottom: "q" bottom: "data" top: "k" }
    """
    parsed = read(text + conv("last", "k") + loss("last"), 1)
    by_name = ops(parsed)
    assert by_name["pr"] == Activation("prelu", 0.25, 3.0)
    assert by_name["po"] == Pool("average", (3, 1), (1, 0))
    assert by_name["ew"] == Combine("sum", (1.0, -1.0, 2.0, 0.5))
    assert by_name["sl-w2"] == Take(1, 4)
    assert by_name["pw"] == Power(2.0, 3.0, 4.0)
    up = by_name["de"]
    assert isinstance(up, Conv)
    assert (up.transposed, up.rate, up.decay, up.weights.kind) == (
        True,
        (2.0, 4.0),
        (0.0, 1.0),
        "bilinear",
    )
    first = by_name["c"]
    assert isinstance(first, Conv)
    assert (first.dilation, first.bias) == ((2, 2), False)
    shapes = parsed.graph.shapes(10, 12)
    assert (str(shapes["d" if "d" in shapes else "de"]), str(shapes["co"])) == (
        "2×20×24",
        "3×10×12",
    )
    image = torch.rand(2, 1, 10, 12)
    assert GraphNetwork(parsed.graph, "paper").eval()(image).shape == image.shape
    assert parsed.loss == "l2"
    assert any("EuclideanLoss is the mean of squares" in note for note in parsed.notes)


def test_uses_training_stage_and_deploy_text_needs_no_loss() -> None:
    only_in = "include {{ {} }} }}\n"
    text = (
        IMAGE
        + conv("train").replace(" }\n", only_in.format('stage: "train"'))
        + conv("other", top="train").replace(" }\n", only_in.format("phase: TEST"))
        + loss("train").replace(" }\n", ' exclude { stage: "deploy" } }\n')
    )
    assert [*ops(read(text, 1))] == ["train"]
    assert read(IMAGE + conv("a"), 1).loss == ""
    deploy = read(
        'input: "data" input_dim: 1 input_dim: 1 input_dim: 8 input_dim: 8\n' + conv("a"), 1
    )
    assert ([*ops(deploy)], deploy.loss) == (["a-in", "a", "output"], "")


def test_notes_differences_from_caffe() -> None:
    unused = conv("aside") + 'layer { name: "end" type: "Silence" bottom: "aside" }\n'
    notes = read(
        IMAGE.replace("scale", "mirror: true scale") + unused + conv("a", more="") + loss("a"), 1
    ).notes
    assert len(notes) == 4
    assert "no weight_filler" in " ".join(notes)
    assert "1 layer does not lead to the output" in " ".join(notes)


WRONG = {
    "": (None, "The text contains no layer"),
    "layer {": (1, "This is not a network definition"),
    "\nlayer { name: 3 }": (2, "Expected string"),
    "# \u2028\x0c\r\n" + IMAGE + "layer { x: 1 }": (3, "Unknown field “x” in Layer"),
    IMAGE + "\n# \ud800": (3, "half a character"),
    IMAGE + 'layer { name: "\\377" }': (2, "This is not a network definition"),
    'layer: [{ name: "a" },\n{ type: "ReLU" }]': (1, "Layer 1 has no type"),
    'layer: [{ type: "ReLU" },\n{ name: "a" }]': (2, "Layer 2 has no type"),
    IMAGE + 'layer { name: "ip" type: "InnerProduct" inner_product_param { num_output: 3 } }': (
        2,
        "Unknown field “inner_product_param”",
    ),
    IMAGE + 'layer { name: "a" typo: 1 }': (2, "Unknown field “typo” in Layer"),
    IMAGE + "\n" + conv("a").replace("Convolution", "Convolve"): (
        3,
        "type Convolve, which is not supported. Supported types: ",
    ),
    IMAGE + 'layer { name: "a" top: "a" }': (2, "Layer 2 has no type"),
    IMAGE + conv("a", "nothing"): (
        2,
        "takes “nothing”, which no layer makes. Blobs at this line: “data”, “label”",
    ),
    IMAGE + conv("a", "b") + conv("b", "data"): (2, "made only further down, by “b” in line 3"),
    IMAGE + conv("a", "b") + conv("b", "a"): (2, "a cycle"),
    IMAGE + conv("a") + conv("a", "a", "b"): (3, "Two layers have the name “a”"),
    IMAGE + conv("a") + conv("b", "data", "a"): (3, "makes “a”, which already exists"),
    IMAGE + conv("a") + loss("a") + loss("a").replace('"loss"', '"loss2"'): (4, "a second loss"),
    IMAGE + conv("a") + conv("b"): (None, "several outputs, “a”, “b”"),
    IMAGE + conv("a").replace("num_output: 1", ""): (2, "num_output is 0, but must be 1 to 4096"),
    IMAGE + conv("a").replace("kernel_size: 3", ""): (2, "“a”: it has no kernel_size"),
    IMAGE + conv("a").replace("pad: 1", ""): (2, "must have equal size"),
    IMAGE + conv("a", maps=2): (
        2,
        "“a” has 2 maps, but the image has 1 channel: set num_output: 1.",
    ),
    IMAGE + conv("a", maps=3): (
        2,
        "“a” has 3 maps, but the image has 1 channel: "
        "choose RGB or YCbCr in the form, or set num_output: 1.",
    ),
    IMAGE + conv("a", maps=3) + concat("data", "a"): (
        3,
        "“k” has 4 maps, but the image has 1 channel: give it 1.",
    ),
    IMAGE + conv("a", more='group: 3 weight_filler { type: "msra" }'): (
        2,
        "the groups must divide both",
    ),
    IMAGE + conv("a", more='weight_filler { type: "positive_unitball" }'): (
        2,
        "unknown filler “positive_unitball”",
    ),
    IMAGE + conv("a", more='weight_filler { type: "uniform" min: 1 max: 0 }'): (
        2,
        "min must not be above max",
    ),
    IMAGE + conv("a", more='weight_filler { type: "gaussian" std: -1 }'): (2, "std of 0 or more"),
    IMAGE + conv("a", more='weight_filler { type: "gaussian" mean: 5 }'): (2, "mean 0"),
    IMAGE + shared("a") + shared("b", "a", maps=2) + conv("c", "b"): (
        3,
        "“b” shares “w” with “a”, but has it as",
    ),
    IMAGE + shared("a") + shared("b", "a", factor="lr_mult: 2"): (3, "has the lr_mult 2 instead"),
    IMAGE + shared("a").replace("Convolution", "BatchNorm") + shared("b", "a"): (
        3,
        "“b” shares “w” with “a”, but has it as learned instead of statistics of 1 channels",
    ),
    IMAGE
    + conv("a")
    + 'layer { name: "p" type: "Pooling" bottom: "a" top: "p" '
    + "pooling_param { kernel_size: 2 stride: 2 } }": (
        3,
        "only pooling of stride 1",
    ),
    IMAGE
    + conv("a")
    + 'layer { name: "p" type: "Python" bottom: "a" top: "p" python_param { layer: "Spy" } }': (
        3,
        "runs Python code",
    ),
    **{
        IMAGE + conv("a") + python_loss(name): (3, f"runs Python code, {name}")
        for name in ("SmoothL1LossLayer", "Channel1Loss", "PixelL1Spy", "MaelstromLoss", "Layer")
    },
    data("x") + data("y") + data("label") + concat("x", "y") + conv("a", "k") + loss("a"): (
        4,
        "A second image",
    ),
    IMAGE + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }' + loss("r"): (
        None,
        "nothing to learn",
    ),
    IMAGE + conv("a") + 'layer { name: "s" type: "Silence" bottom: "a" }' + loss("data"): (
        None,
        "nothing to learn",
    ),
    IMAGE + 'layer { name: "s" type: "Split" top: "s" }' + conv("a", "s"): (
        2,
        "has 0 bottoms, but Split takes 1",
    ),
    IMAGE + conv("a") + power("t", "label", 1e-320) + loss("a", "t"): (3, "too small or too large"),
    IMAGE + conv("a") + power("t", "label", 0) + loss("a", "t"): (3, "scales by 0"),
    IMAGE + power("p", "data", 1e300) + conv("a", "p"): (2, "no number may be greater than 1e+12"),
    IMAGE
    + conv("a")
    + 'layer { name: "b" type: "BatchNorm" bottom: "a" top: "a" batch_norm_param { eps: 0 } }': (
        3,
        "eps must be above 0",
    ),
    IMAGE + enlarge("a") + enlarge("b", "a"): (3, "at most 32 times its size"),
    IMAGE + conv("a", "label") + loss("a"): (2, "changes the label"),
    IMAGE + conv("a") + loss("a", "a"): (3, "compare a single output with the label"),
    IMAGE + 'layer { name: "e" type: "Eltwise" bottom: "data" top: "e" }': (
        2,
        "has 1 bottoms, but Eltwise takes 2 or more",
    ),
    IMAGE
    + 'layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: nan } }': (
        2,
        "finite",
    ),
    'layers { name: "a" type: CONVOLUTION }': (1, "num_output is 0"),
    IMAGE + 'layers { name: "a" type: RELU bottom: "data" top: "a" }': (2, "Use one"),
    'layers { name: "a" type: RELU }\n' + IMAGE: (2, "has both"),
    IMAGE + "state { phase: TEST }" + conv("a"): (2, "“state” is not supported"),
    'input: "data"\nlayers { layer { name: "r" type: "relu" kernelsize: 3 } }': (
        2,
        "“r” has kernelsize, which layers of type relu do not have",
    ),
    'layers { name: "l" type: LRN lrn_param { k: 1 } }': (1, "Unknown field “lrn_param”"),
    'input: "data"\nlayers { name: "m" type: MVN bottom: "data" top: "m" }': (
        2,
        "a layer of type MVN, which is not supported",
    ),
    IMAGE: (None, "No layer leads from the data"),
    conv("a") * 2001: (None, "2,001 layers: at most 2,000"),
    IMAGE
    + conv("a", maps=4096).replace("kernel_size: 3 pad: 1", "kernel_size: 101 pad: 50")
    + conv("b", "a")
    .replace("kernel_size: 3 pad: 1", "kernel_size: 101 pad: 50")
    .replace("num_output: 1", "num_output: 4096")
    + conv("c", "b"): (None, "at most 100,000,000 are allowed"),
}


@pytest.mark.parametrize("text", list(WRONG), ids=[reason for _, reason in WRONG.values()])
def test_rejects_untrainable_text_with_line_and_reason(text: str) -> None:
    line, reason = WRONG[text]
    with pytest.raises(GraphError) as refused:
        read(text, 1)
    assert reason in str(refused.value)
    assert refused.value.line == line


def test_reader_survives_any_text() -> None:
    """A text cut off anywhere, or with changed tokens, is a network or raises GraphError."""
    dice = random.Random(0)
    texts = [text[: dice.randrange(len(text))] for text in TEXTS.values() for _ in range(60)]
    for text in TEXTS.values():
        tokens = text.split(" ")
        for _ in range(150):
            changed = list(tokens)
            for _ in range(dice.randrange(1, 4)):
                changed[dice.randrange(len(tokens))] = dice.choice(
                    [
                        *tokens,
                        "-1",
                        "{",
                        "}",
                        '"',
                        "1e99",
                        "\0",
                        "layer",
                        "é",
                        "layer: [",
                        "]",
                        "\x0c",
                        "\u2028",
                        "\ud800",
                        "<",
                        "1e-320",
                    ]
                )
            texts.append(" ".join(changed))
    refused: list[tuple[GraphError, str]] = []
    for text in texts:
        try:
            read(text, 1)
        except GraphError as error:
            refused.append((error, text))
    assert 0 < len(refused) < len(texts)
    for refusal, text in refused:
        assert str(refusal)
        assert refusal.line is None or 1 <= refusal.line <= text.count("\n") + 1


def test_loss_identifies_the_label_whatever_its_name() -> None:
    text = (
        data("low")
        + data("high")
        + power("half", "high", 0.5)
        + conv("a", "low")
        + loss("a", "half")
    )
    assert ops(read(text, 1))["output"] == Power(1.0, 1 / 127.5)


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("L1LossLayer", "m"),
        ("l1loss", "m"),
        ("AbsLoss", "m"),
        ("MAELoss", "m"),
        ("MeanAbsoluteErrorLayer", "m"),
        ("Loss", "nn.l1_loss"),
    ],
)
def test_recognizes_python_l1_loss_by_name(layer: str, module: str) -> None:
    assert read(IMAGE + conv("a") + python_loss(layer, module), 1).loss == "l1"


def test_uses_deploy_stage_without_a_loss() -> None:
    end = 'layer {{ name: "{0}" type: "{1}" bottom: "a" top: "a" include {{ {2} }} }}\n'
    text = (
        IMAGE
        + conv("a")
        + end.format("d", "Dropout", "phase: TRAIN")
        + end.format("s", "Sigmoid", 'stage: "deploy"')
    )
    assert [*ops(read(text, 1))] == ["a", "s"]
    assert [*ops(read(text + loss("a"), 1))] == ["a", "d"]


def test_ignores_layers_of_other_stages() -> None:
    param = 'accuracy_param { top_k: 5 } include { stage: "val" }'
    accuracy = f'layer {{ name: "acc" type: "Accuracy" bottom: "a" bottom: "label" {param} }}\n'
    silence = 'layer { name: "s" type: "Silence" bottom: "loss" }\n'
    assert [*ops(read(IMAGE + conv("a") + accuracy + loss("a") + silence, 1))] == ["a"]


def test_uniform_weights_are_between_min_and_max() -> None:
    text = (
        IMAGE
        + conv("a", "data", maps=200, more='weight_filler { type: "uniform" min: -0.5 max: -0.25 }')
        + conv("b", "a")
    )
    weights = GraphNetwork(read(text, 1).graph, "paper").get_parameter("a.weight")
    assert -0.5 <= weights.min() < -0.49
    assert -0.26 < weights.max() <= -0.25


def test_accepts_byte_order_mark_and_windows_line_endings() -> None:
    assert [*ops(read("\ufeff" + (IMAGE + conv("a") + loss("a")).replace("\n", "\r\n"), 1))] == [
        "a"
    ]


def test_parses_and_starts_the_longest_network() -> None:
    text = IMAGE + "".join(
        conv(f"c{number}", f"c{number - 1}" if number else "data") for number in range(1999)
    )
    graph = read(text, 1).graph
    assert len(graph.nodes) == 1999
    starts = identity_start(graph)
    assert starts is not None
    assert set(starts.values()) == {"dirac"}


def test_identity_search_visits_each_node_once() -> None:
    """Sums of sums without an identity: the search is fast despite 2^60 paths."""
    text = IMAGE + 'layer { name: "s" type: "Sigmoid" bottom: "data" top: "x0" }\n'
    for number in range(60):
        for branch in "ab":
            relu = f"{branch}{number}"
            text += f'layer {{ name: "{relu}" type: "ReLU" bottom: "x{number}" top: "{relu}" }}\n'
        bottoms = f'bottom: "a{number}" bottom: "b{number}"'
        text += (
            f'layer {{ name: "x{number + 1}" type: "Eltwise" {bottoms} top: "x{number + 1}" }}\n'
        )
    assert identity_start(read(text + conv("last", "x60"), 1).graph) is None
