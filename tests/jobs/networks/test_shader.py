"""Shaders restore as torch does: by our interpreter, and by libplacebo on a software driver."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.networks import starters
from jobs.networks.shader.check import run
from jobs.networks.shader.write import write
from jobs.specs.networks import Starter
from models.build import GraphNetwork
from models.definitions.caffe.prototxt import read
from models.definitions.graph import Graph
from models.definitions.networks import NETWORKS
from models.restorer import Channels, Restorer

ABOUT = {"model": "night shots", "snapshot": "epoch-0003"}
COLOURS: tuple[Channels, ...] = ("rgb", "y", "ycbcr")
KINDS = """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 3 pad: 2 dilation: 2 group: 3 } }
layer { name: "norm" type: "BatchNorm" bottom: "conv1" top: "norm" }
layer { name: "scale" type: "Scale" bottom: "norm" top: "scale" scale_param { bias_term: true } }
layer { name: "prelu" type: "PReLU" bottom: "scale" top: "prelu" }
layer { name: "sigmoid" type: "Sigmoid" bottom: "conv1" top: "sigmoid" }
layer { name: "elu" type: "ELU" bottom: "scale" top: "elu" }
layer { name: "product" type: "Eltwise" bottom: "prelu" bottom: "sigmoid" top: "product"
  eltwise_param { operation: PROD } }
layer { name: "max" type: "Eltwise" bottom: "product" bottom: "elu" top: "max"
  eltwise_param { operation: MAX } }
layer { name: "sum" type: "Eltwise" bottom: "max" bottom: "prelu" top: "sum"
  eltwise_param { coeff: 0.5 coeff: -2 } }
layer { name: "slice" type: "Slice" bottom: "sum" top: "a" top: "b" slice_param { slice_point: 5 } }
layer { name: "concat" type: "Concat" bottom: "b" bottom: "a" bottom: "data" top: "concat" }
layer { name: "conv2" type: "Convolution" bottom: "concat" top: "conv2"
  convolution_param { num_output: 3 kernel_h: 1 kernel_w: 5 pad_h: 0 pad_w: 2 bias_term: false } }
layer { name: "tanh" type: "TanH" bottom: "conv2" top: "tanh" }
layer { name: "power" type: "Power" bottom: "tanh" top: "power"
  power_param { scale: 0.5 shift: 0.5 } }
"""
LAST = """
layer { name: "last" type: "Convolution" bottom: "layer" top: "last"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
"""
PLAYER = shutil.which("ffmpeg")


@torch.no_grad()
def random_network(graph: Graph, colours: Channels = "rgb", mean: bool = False) -> Restorer:
    torch.manual_seed(0)
    net = GraphNetwork(graph, start="paper").eval()
    for parameter in net.parameters():
        parameter.normal_(0, 0.2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    means = torch.rand(graph.channels) if mean else None
    return Restorer(net, colours, means).eval().requires_grad_(False)


def image(planes: int, height: int = 23, width: int = 31) -> Tensor:
    return torch.rand(1, planes, height, width, generator=torch.Generator().manual_seed(1))


def assert_same(restorer: Restorer, colours: int = 3) -> None:
    picture = image(colours + restorer.takes_qp)
    expected = restorer(picture)
    assert (expected - picture[:, :colours]).abs().max() > 0.01  # It changes something.
    torch.testing.assert_close(run(write(restorer, ABOUT), picture), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("srcnn-9-1-5", {"maps1": 6, "maps2": 5}),
        ("vrcnn", {"maps": 8}),
        ("dncnn", {"depth": 3, "maps": 4}),
        ("edsr", {"blocks": 1, "maps": 4}),
        ("ecbnet", {"depth": 3, "maps": 6}),
    ],
)
@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("mean", [False, True])
def test_a_shader_restores_as_torch_does(
    name: str, settings: dict[str, int], colours: Channels, mean: bool
) -> None:
    graph = NETWORKS[name].graph(1 if colours == "y" else 3, **settings)
    restorer = random_network(graph, colours, mean)
    assert_same(restorer)
    if colours == "y":
        assert_same(restorer, colours=1)


def test_a_pasted_network_with_all_kinds_of_layers() -> None:
    assert_same(random_network(read(KINDS, 3).graph))


@pytest.mark.parametrize("name", ["fast", "good"])
def test_starters_are_shaders(name: Starter) -> None:
    restorer, _ = starters.load(name)
    picture = image(4)
    torch.testing.assert_close(
        run(write(restorer.requires_grad_(False), ABOUT), picture),
        restorer(picture),
        atol=2e-5,
        rtol=0,
    )


@pytest.mark.parametrize(
    ("layers", "error"),
    [
        (
            'layer { name: "pool" type: "Pooling" bottom: "data" top: "layer" '
            "pooling_param { pool: MAX kernel_size: 3 pad: 1 stride: 1 } }",
            "its layer pool is a pool",
        ),
        (
            'layer { name: "root" type: "Power" bottom: "data" top: "layer" '
            "power_param { power: 0.5 } }",
            "its layer root is a power",
        ),
    ],
)
def test_a_layer_that_cannot_be_in_a_shader_is_named(layers: str, error: str) -> None:
    with pytest.raises(JobError, match=error):
        write(random_network(read(layers + LAST, 3).graph), ABOUT)


def test_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(JobError, match=r"reads 17 textures of four maps each.* allow 16"):
        write(random_network(NETWORKS["srcnn-9-1-5"].graph(3, maps1=68, maps2=4)), ABOUT)
    with pytest.raises(JobError, match=r"too large for a shader.* 4,096 products"):
        write(random_network(NETWORKS["vdsr"].graph(3)), ABOUT)
    with pytest.raises(JobError, match="network in Python"):
        write(Restorer(nn.Identity(), "rgb"), ABOUT)
    broken = random_network(NETWORKS["ecbnet"].graph(3, depth=2, maps=4))
    next(broken.parameters())[0] = torch.nan
    with pytest.raises(JobError, match="not finite"):
        write(broken, ABOUT)


@pytest.fixture(scope="module")
def libplacebo() -> list[str]:
    """A command of FFmpeg that has libplacebo and a Vulkan driver. Skips the test without them."""
    if PLAYER is None:
        pytest.skip("ffmpeg is not installed")
    command = [PLAYER, "-v", "error", "-init_hw_device", "vulkan"]
    test = [*command, "-f", "lavfi", "-i", "color=size=16x16:duration=0.04"]
    filters = "format=rgba,hwupload,libplacebo,hwdownload,format=rgba"
    done = subprocess.run(
        [*test, "-vf", filters, "-f", "null", "-"], capture_output=True, timeout=120
    )
    if done.returncode:
        pytest.skip("ffmpeg has no libplacebo, or there is no Vulkan driver (mesa-vulkan-drivers)")
    return command


@pytest.mark.parametrize(
    ("name", "colours"), [("ecbnet", "rgb"), ("srcnn-9-1-5", "y"), ("ecbnet", "ycbcr")]
)
def test_libplacebo_shows_what_torch_restores(
    libplacebo: list[str], name: str, colours: Channels, tmp_path: Path
) -> None:
    """Within a level: players keep 16 bits of what layers put out."""
    settings = {"depth": 3, "maps": 6} if name == "ecbnet" else {"maps1": 4, "maps2": 4}
    restorer = random_network(NETWORKS[name].graph(1 if colours == "y" else 3, **settings), colours)
    levels = (image(3, 40, 64)[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    rgba = torch.cat([levels, torch.full_like(levels[..., :1], 255)], 2)
    (tmp_path / "in.raw").write_bytes(rgba.numpy().tobytes())
    (tmp_path / "restore.glsl").write_text(write(restorer, ABOUT))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgba", "-video_size", "64x40", "-framerate", "25"]
    filters = (
        "format=rgba,hwupload,libplacebo=custom_shader_path=restore.glsl:dithering=none,"
        "hwdownload,format=rgba"
    )
    subprocess.run(
        [*libplacebo, *raw, "-i", "in.raw", "-vf", filters, "-f", "rawvideo", "out.raw"],
        cwd=tmp_path,
        check=True,
        timeout=120,
    )
    shown = np.frombuffer((tmp_path / "out.raw").read_bytes(), np.uint8).reshape(40, 64, 4)
    picture = levels.permute(2, 0, 1)[None] / 255
    if restorer.takes_qp:
        picture = torch.cat([picture, torch.full_like(picture[:, :1], 32 / 51)], 1)
    expected = (restorer(picture)[0].permute(1, 2, 0) * 255).clamp(0, 255).round()
    assert (expected - levels).abs().max() > 3
    assert (torch.from_numpy(shown[..., :3].copy()) - expected).abs().max() <= 1
