"""Networks as public projects publish them, pasted as text."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from app.forms.preview import preview
from jobs.core.folder import JobFolder
from jobs.networks import snapshots
from jobs.networks.export_formats import FORMATS
from jobs.networks.snapshots import Kind
from jobs.specs.networks import Custom
from jobs.training.solvers import _factors
from models.build import GraphNetwork
from models.definitions.caffe.prototxt import ParsedNetwork, read
from models.definitions.identity import identity_start
from models.definitions.operations import GraphError
from tests.app.forms.test_preview import NoJobs
from tests.conftest import Clip
from tests.support.field_datasets import field_file
from tests.support.server import Server

DATA = 'layer { name: "data" type: "HDF5Data" top: "data" top: "label" }\n'
CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
"""
L2 = 'layer { name: "l2" type: "EuclideanLoss" bottom: "conv" bottom: "label" top: "l2" }\n'


def loss(kind: str, more: str = "") -> str:
    bottoms = 'bottom: "conv" bottom: "label"'
    return f'layer {{ name: "loss" type: "{kind}" {bottoms} top: "loss" {more} }}\n'


def python(layer: str, more: str = "") -> str:
    return loss("Python", f'python_param {{ module: "losses" layer: "{layer}" }} {more}')


ONLY_IN_TRAINING = {
    "as DIGITS has it": 'exclude { stage: "deploy" }',
    "phase": "include { phase: TRAIN }",
    "stage": 'include { phase: TRAIN stage: "train" }',
    "not_stage": 'include { not_stage: "deploy" phase: TRAIN }',
    "weighted": 'loss_weight: 1 exclude { stage: "deploy" }',
}

UNKNOWN = {
    **{where: python("SSIMLoss", rule) for where, rule in ONLY_IN_TRAINING.items()},
    "no name that says loss": python("Distance", 'exclude { stage: "deploy" }'),
    "Caffe's own": loss("SigmoidCrossEntropyLoss", 'exclude { stage: "deploy" }'),
    "another program's": loss("SmoothL1Loss", "include { phase: TRAIN }"),
    "a weight makes it a loss": CONV.replace('"conv"', '"reg"').replace(
        "convolution_param", "loss_weight: 0.1 include { phase: TRAIN } convolution_param"
    ),
    "a known loss in another phase": python("SSIMLoss", "include { phase: TRAIN }")
    + L2.replace(" }\n", " include { phase: TEST } }\n"),
    "a known loss next to it": L2 + python("SSIMLoss", 'exclude { stage: "deploy" }'),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_loss_that_is_not_supported_is_an_error_at_its_line(name: str) -> None:
    text = DATA + CONV + UNKNOWN[name]
    where = "reg" if "reg" in text else "loss"
    line = next(n for n, row in enumerate(text.split("\n"), 1) if f'name: "{where}"' in row)
    with pytest.raises(GraphError, match=f"“{where}”.* supported") as refused:
        read(text, 1)
    assert refused.value.line == line
    shown = preview({"network": {"name": "custom", "prototxt": text}}, NoJobs())  # type: ignore[arg-type]
    assert shown["problems"]["network.prototxt"].startswith(f"Line {line}: “{where}”")
    assert shown["lines"] == {"network.prototxt": line}


NOTED = {
    "“l2” has the loss_weight 0": DATA + CONV + L2.replace("top:", "loss_weight: 0 top:"),
    "loss_weight": DATA + CONV + L2.replace("top:", "loss_weight: 0.5 top:"),
    "propagate_down": DATA + CONV.replace('top: "conv"', 'top: "conv" propagate_down: false') + L2,
    "new_height": DATA.replace("HDF5Data", "ImageData").replace(
        'top: "label"', 'top: "label" image_data_param { new_height: 33 new_width: 33 }'
    )
    + CONV
    + L2,
    "force_gray": DATA.replace('top: "label"', 'top: "label" transform_param { force_gray: true }')
    + CONV
    + L2,
    "“conv2” in line 4 is in no phase or stage": DATA
    + CONV
    + CONV.replace('"conv"', '"conv2"').replace('top: "', 'include { stage: "late" } top: "')
    + L2,
    "“psnr” in line 5 is for tests only": DATA
    + CONV
    + L2
    + 'layer { name: "psnr" type: "Accuracy" bottom: "conv" top: "a" include { phase: TEST } }',
    "“drop” in line 4 is for training only": DATA
    + CONV
    + 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" include { phase: TRAIN } }',
}


@pytest.mark.parametrize("name", NOTED)
def test_what_a_text_asks_for_and_does_not_get_is_noted(name: str) -> None:
    assert [note for note in read(NOTED[name], 1).notes if name in note]


@pytest.mark.parametrize("setting", ["scale: 0.5", "mirror: true", 'mean_file: "m"'])
def test_settings_that_caffe_itself_ignores_are_errors(setting: str) -> None:
    text = DATA.replace('"HDF5Data"', f'"Data" data_param {{ {setting} }}') + CONV + L2
    with pytest.raises(GraphError, match="Move it to transform_param") as refused:
        read(text, 1)
    assert refused.value.line == 1


def test_the_preview_knows_the_loss_that_a_training_takes_from_the_text() -> None:
    values = {"network": {"name": "custom", "prototxt": DATA + CONV + L2}}
    assert "selected" not in str(preview(values, NoJobs())["notes"])  # type: ignore[arg-type]
    shown = preview({**values, "loss": {"name": "l1"}}, NoJobs())  # type: ignore[arg-type]
    assert "uses the loss of its settings, L1." in shown["notes"][-1]


def test_the_api_refuses_the_loss_and_the_log_of_a_training_has_the_notes(
    server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    body = {"name": "m", "dataset": dataset, "steps": 2, "patch_size": 32}
    text = DATA + CONV + python("SSIMLoss", 'exclude { stage: "deploy" }')
    status, answer = server.call(
        "/models", {**body, "network": {"name": "custom", "prototxt": text}}
    )
    assert (status, answer["error"]["fields"]["network.prototxt"][:14]) == (422, "Line 4: “loss”")

    server.wait(dataset, "done")
    network = {"name": "custom", "prototxt": NOTED["loss_weight"]}
    id = server.create("/models", {**body, "network": network, "loss": {"name": "l1"}})
    server.wait(id, "done")
    messages = " ".join(event["text"] for event in server.wait_for_events(id, "message"))
    assert "loss_weight 0.5, which is ignored" in messages
    assert "The definition names the loss L2; this training uses" in messages


def published(name: str) -> str:
    """A network of the shared samples."""
    return field_file(f"nets/{name}.prototxt").read_text()


def ops(parsed: ParsedNetwork) -> dict[str, object]:
    return {node.name: (node.op, node.inputs) for node in parsed.graph.nodes}


TODAY = """
layer { name: "data" type: "ImageData" top: "data" top: "label"
        transform_param { scale: 0.00390625 mirror: true } image_data_param { source: "list" } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 0.1 decay_mult: 0 }
        convolution_param { num_output: 8 kernel_size: 9 pad: 4
                            weight_filler { type: "gaussian" std: 0.001 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: AVE kernel_size: 3 pad: 1 stride: 1 } }
layer { name: "drop" type: "Dropout" bottom: "pool1" top: "pool1"
        dropout_param { dropout_ratio: 0.25 } include { phase: TRAIN } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 1 kernel_size: 5 pad: 2 bias_term: false
                            weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "conv2" bottom: "label" }
"""

V1 = """
layers { name: "data" type: IMAGE_DATA top: "data" top: "label"
         image_data_param { source: "list" scale: 0.00390625 mirror: true } }
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
         blobs_lr: 1 blobs_lr: 0.1 weight_decay: 1 weight_decay: 0
         convolution_param { num_output: 8 kernel_size: 9 pad: 4
                             weight_filler { type: "gaussian" std: 0.001 } } }
layers: < name: "relu1" type:RELU bottom: "conv1" top: "conv1" >
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1"
         pooling_param { pool: AVE kernel_size: 3 pad: 1 stride: 1 } }
layers { name: "drop" type: DROPOUT bottom: "pool1" top: "pool1"
         dropout_param { dropout_ratio: 0.25 } include: { phase: TRAIN } }
layers { name: "conv2" type: CONVOLUTION bottom: "pool1" top: "conv2"
         convolution_param { num_output: 1 kernel_size: 5 pad: 2 bias_term: false
                             weight_filler { type: "xavier" } } }
layers { name: "loss" type: EUCLIDEAN_LOSS bottom: "conv2" bottom: "label" }
"""

V0 = """
layers { layer { name: "data" type: "images" source: "list" scale: 0.00390625 mirror: true }
         top: "data" top: "label" }
layers { layer { name: "pad1" type: "padding" pad: 4 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 8 kernelsize: 9
                 weight_filler { type: "gaussian" std: 0.001 }
                 blobs_lr: 1. blobs_lr: 0.1 weight_decay: 1. weight_decay: 0. }
         bottom: "pad1" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 pad: 1 stride: 1 }
         bottom: "conv1" top: "pool1" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.25 } bottom: "pool1" top: "pool1" }
layers { layer { name: "conv2" type: "conv" num_output: 1 kernelsize: 5 pad: 2 biasterm: false
                 weight_filler { type: "xavier" } } bottom: "pool1" top: "conv2" }
layers { layer { name: "loss" type: "euclidean_loss" } bottom: "conv2" bottom: "label" }
"""


@pytest.mark.parametrize("old", [V1, V0], ids=["V1", "V0"])
def test_old_formats_are_upgraded_as_caffe_does(old: str) -> None:
    today, upgraded = read(TODAY, 1), read(old, 1)
    assert ops(upgraded) == ops(today)
    assert (upgraded.loss, upgraded.notes) == ("l2", today.notes)
    lines = {node.name: node.line for node in upgraded.graph.nodes}
    assert 'name: "conv2"' in old.split("\n")[(lines["conv2"] or 0) - 1]


@pytest.mark.parametrize("name", ["v1_layers", "v0_mixed_type"])
def test_published_texts_in_old_formats_are_read(name: str) -> None:
    assert "conv1" in ops(read(published(name), 1))


def test_an_old_format_without_its_loss_is_an_error() -> None:
    with pytest.raises(GraphError, match="a loss of type HingeLoss") as refused:
        read(V1.replace("EUCLIDEAN_LOSS", "HINGE_LOSS"), 1)
    assert refused.value.line == V1.count("\n")


def test_only_layers_that_can_have_a_pad_take_a_padded_blob() -> None:
    with pytest.raises(GraphError, match="only layers of type conv or pool") as refused:
        read(V0.replace('"conv" num_output: 8', '"relu" num_output: 8'), 1)
    assert refused.value.line == 5


SHARED = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" }
layer { name: "first" type: "Convolution" bottom: "data" top: "first"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "a" type: "Convolution" bottom: "first" top: "a"
        param { name: "w" lr_mult: 0.5 decay_mult: 0 } param { name: "b" lr_mult: 0.1 }
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "pa" type: "PReLU" bottom: "a" top: "a" param { name: "s" decay_mult: 0 }
        prelu_param { channel_shared: true } }
layer { name: "c" type: "Convolution" bottom: "a" top: "c" param { name: "w" } param { name: "own" }
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "pc" type: "PReLU" bottom: "c" top: "c" param { name: "s" }
        prelu_param { channel_shared: true } }
layer { name: "last" type: "Convolution" bottom: "c" top: "last" param { name: "x" }
        convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "sum" type: "Eltwise" bottom: "last" bottom: "data" top: "sum" }
layer { name: "loss" type: "EuclideanLoss" bottom: "sum" bottom: "label" }
"""


def test_layers_share_weights_by_the_names_of_their_params() -> None:
    parsed = read(SHARED, 1)
    counts = parsed.graph.parameters()
    assert (counts["a"], counts["pa"], counts["c"], counts["pc"]) == (4 * 4 * 9 + 4, 1, 4, 0)
    net = GraphNetwork(parsed.graph)
    a, c, pa, pc = (net.get_submodule(name) for name in ("a", "c", "pa", "pc"))
    assert a.weight is c.weight
    assert a.bias is not c.bias
    assert pa.weight is pc.weight
    assert pa.weight.shape == (1,)
    assert sum(parameter.numel() for parameter in net.parameters()) == sum(counts.values())
    image = torch.rand(1, 1, 12, 16)
    assert torch.allclose(net(image), image, atol=1e-6), "starts as the identity"
    factors = dict(_factors(net, paper=True))
    assert factors[a.weight] == (0.5, 0.0)
    assert factors[a.bias] == (0.1, 1.0)
    assert factors[pa.weight] == (1.0, 0.0)


def test_a_network_whose_identity_would_need_shared_weights_starts_as_its_fillers_say() -> None:
    chain = SHARED[: SHARED.index('layer { name: "last"')].replace("num_output: 4", "num_output: 1")
    assert identity_start(read(chain, 1).graph) is None


def test_published_recursive_network_is_read() -> None:
    parsed = read(published("drrn_share"), 1)
    net = GraphNetwork(parsed.graph, "paper")
    assert net.get_parameter("conv1_1a.weight") is net.get_submodule("conv1_2a").weight


def test_snapshots_and_exports_keep_shared_weights(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    kind = Kind(Custom(prototxt=SHARED, start="paper"), "y", 1)
    restorer = kind.restorer().eval()
    snapshots.save(folder, "epoch-0001", kind, restorer, {})
    loaded, mean, weights = snapshots.read_weights(folder, "epoch-0001")
    again = loaded.restorer(mean).eval()
    again.net.load_state_dict(weights)
    image = torch.rand(2, 1, 12, 16)
    assert torch.equal(again(image), restorer(image))
    assert again.net.get_submodule("a").weight is again.net.get_submodule("c").weight
    about = dict.fromkeys(("clearframe", "model", "snapshot", "range"), "")
    restorer.requires_grad_(False)
    for name, format in FORMATS.items():
        file = tmp_path / name
        file.write_bytes(format.make(restorer, image, about))
        assert torch.allclose(format.run(file, image, restorer), restorer(image), atol=1e-4)


SIAMESE = """
layer { name: "a" type: "Convolution" bottom: "data" top: "a"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "na" type: "BatchNorm" bottom: "a" top: "na" param { name: "mean" lr_mult: 0 }
        param { name: "variance" lr_mult: 0 } param { name: "weight" lr_mult: 0 } }
layer { name: "b" type: "Convolution" bottom: "na" top: "b"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "nb" type: "BatchNorm" bottom: "b" top: "nb" param { name: "mean" lr_mult: 0 }
        param { name: "variance" lr_mult: 0 } param { name: "weight" lr_mult: 0 } }
layer { name: "c" type: "Convolution" bottom: "nb" top: "c"
        convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "label" }
"""


def statistics(net: torch.nn.Module) -> dict[str, list[torch.Tensor]]:
    return {name: list(net.get_submodule(name).buffers()) for name in ("na", "nb")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batch_normalisations_share_their_statistics_by_the_names_of_their_params(
    dtype: torch.dtype,
) -> None:
    """After a move too: torch would copy the statistics for each layer."""
    net = deepcopy(GraphNetwork(read(SIAMESE, 1).graph, "paper").to(dtype)).train()
    first, second = statistics(net).values()
    assert all(a is b for a, b in zip(first, second, strict=True))
    maps = []
    for name in ("a", "b"):
        net.get_submodule(name).register_forward_hook(lambda *seen: maps.append(seen[2].detach()))
    net(torch.rand(2, 1, 12, 16, dtype=dtype))
    # Each layer moves the mean by a tenth towards that of its own batch, one after the other.
    expected = torch.zeros(4, dtype=dtype)
    for batch in maps:
        expected = 0.9 * expected + 0.1 * batch.mean((0, 2, 3))
    assert torch.allclose(first[0], expected, atol=1e-6)
    assert first[2] == 2


def test_snapshots_keep_shared_statistics(tmp_path: Path) -> None:
    kind = Kind(Custom(prototxt=SIAMESE, start="paper"), "y", 1)
    restorer = kind.restorer()
    image = torch.rand(2, 1, 12, 16)
    restorer.train()(image)
    snapshots.save(JobFolder(tmp_path), "epoch-0001", kind, restorer.eval(), {})
    loaded, mean, weights = snapshots.read_weights(JobFolder(tmp_path), "epoch-0001")
    again = loaded.restorer(mean).eval()
    again.net.load_state_dict(weights)
    assert torch.equal(again(image), restorer(image))
    assert statistics(again.net)["na"][0] is statistics(again.net)["nb"][0]


def test_statistics_can_be_shared_in_part() -> None:
    text = SIAMESE.replace('name: "variance" ', "", 1)
    first, second = statistics(GraphNetwork(read(text, 1).graph)).values()
    assert [a is b for a, b in zip(first, second, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            SIAMESE.replace("num_output: 4", "num_output: 3", 1),
            "“mean” with “na”, but has it as statistics of 4 channels instead of statistics of 3",
        ),
        (
            '"mean"'.join(SIAMESE.rsplit('"weight"', 1)),
            "“mean” with “na”, but has it as their weight instead of statistics of 4 channels",
        ),
    ],
)
def test_statistics_of_another_kind_cannot_be_shared(text: str, problem: str) -> None:
    with pytest.raises(GraphError, match=problem) as refused:
        read(text, 1)
    assert refused.value.line == 8


def srcnn(pad1: str = "pad: 0", pad2: str = "", pad3: str = "pad: 0", more: str = "") -> str:
    layers = ((9, 8, pad1, "data", "a"), (1, 4, pad2, "a", "b"), (5, 1, pad3, "b", "c"))
    return DATA + "".join(
        f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" '
        f"convolution_param {{ num_output: {maps} kernel_size: {kernel} {pad} {more} "
        'weight_filler { type: "msra" } } }\n'
        for kernel, maps, pad, bottom, top in layers
    )


ADD = 'layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "data" top: "sum" }\n'
POOL = """layer { name: "pool" type: "Pooling" bottom: "c" top: "pool"
  pooling_param { kernel_h: 3 kernel_w: 1 } }
"""
PADS = {
    "as published": (srcnn(), "Set the pads of “a”, “b”, “c” to 4, 0, 2."),
    "one is missing": (srcnn("pad: 4"), "Set the pads of “a”, “b”, “c” to 4, 0, 2."),
    "dilated": (srcnn(more="dilation: 2"), "to 8, 0, 4."),
    "added to the image": (
        srcnn() + ADD,
        "must be equal. Set the pads of “a”, “b”, “c” to 4, 0, 2.",
    ),
    "deconvolution": (srcnn().replace("Convolution", "Deconvolution"), "to 4, 0, 2."),
    "pooled": (srcnn() + POOL, "“pool” to 4, 0, 2, 1×0."),
    "same everywhere": (CONV.replace("pad: 1", ""), "Set pad: 1 in each convolution."),
}


@pytest.mark.parametrize("name", PADS)
def test_a_network_without_pads_is_refused_with_the_pads_that_make_it_fit(name: str) -> None:
    text, advice = PADS[name]
    with pytest.raises(GraphError) as refused:
        read(text, 1)
    assert str(refused.value).endswith(advice)


def test_published_network_without_pads_is_read_with_the_pads_of_the_advice() -> None:
    text = published("srcnn_official")
    with pytest.raises(GraphError, match="to 4, 0, 2"):
        read(text, 1)
    for pad in (4, 0, 2):
        text = text.replace("pad: 0 w", f"pad: {pad}  w", 1)
    assert read(text, 1).loss == "l2"


@pytest.mark.parametrize("kernel", ["kernel_size: 4", "kernel_size: 3 stride: 2"])
def test_no_pads_are_advised_where_none_fit(kernel: str) -> None:
    with pytest.raises(GraphError, match=r"Check pads, strides and the maps of the last layer\.$"):
        read(CONV.replace("kernel_size: 3 pad: 1", kernel), 1)


def test_deconvolution_and_crop_that_end_at_the_size_of_the_image_are_taken() -> None:
    """As waifu2x's networks, but with a first layer that halves the image."""
    text = (
        DATA
        + """
layer { name: "down" type: "Convolution" bottom: "data" top: "down"
        convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 3
                            weight_filler { type: "msra" } } }
layer { name: "leaky" type: "ReLU" bottom: "down" top: "down" relu_param { negative_slope: 0.1 } }
layer { name: "up" type: "Deconvolution" bottom: "down" top: "up"
        convolution_param { num_output: 1 kernel_size: 4 stride: 2
                            weight_filler { type: "msra" } } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop"
        crop_param { axis: 2 offset: 3 offset: 3 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "crop" bottom: "label" }
"""
    )
    net = GraphNetwork(read(text, 1).graph, "paper")
    assert net(torch.rand(1, 1, 37, 54)).shape == (1, 1, 37, 54)
