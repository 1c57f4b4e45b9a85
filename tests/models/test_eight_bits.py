"""Tests of networks in 8 bits against the same in float32."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from jobs.media.h264 import encode
from jobs.media.qp_maps import coding_of, plane_of
from jobs.media.sample_clip import scene
from jobs.media.video import decode_frames
from jobs.networks import starters
from jobs.networks.device import computes_eight_bits
from jobs.restoring.planes import planes_of
from jobs.specs.networks import Starter
from models.build import GraphNetwork
from models.definitions.networks import NETWORKS, ecbnet
from models.definitions.receptive_field import reach_of
from models.eight_bits import LARGEST, LARGEST_WEIGHT, EightBits, fits
from models.metrics import psnr
from models.tiles import Tiling, in_tiles, windows
from tests.support.networks import moved

needs_bytes = pytest.mark.skipif(
    not computes_eight_bits(torch.device("cpu")), reason="the CPU has no operations for 8 bits"
)
BLACK, WHITE = 16, 235


def decoded(folder: Path, qp: int) -> list[Tensor]:
    """Frames after compression: Y and 5 QP, uint8 (1, 2, H, W)."""
    path = folder / f"{qp}.h264"
    encode(scene(3, 320, 192, 3), path, {"qp": str(qp)})
    return [
        torch.from_numpy(np.stack([y, plane_of(coding_of(frame).qp, *y.shape)]))[None]
        for frame in decode_frames(path, qps=True)
        for y in planes_of(frame)[:1]
    ]


def in_float32(net: GraphNetwork, planes: Tensor, black: int, white: int) -> Tensor:
    """The change of Y."""
    y = (planes[:, :1] - float(black)) / (white - black)
    with torch.inference_mode():
        output: Tensor = net(torch.cat((y, planes[:, 1:] / 255), 1))
    return output - y


@needs_bytes
@pytest.mark.parametrize("qp", [22, 27, 37])
@pytest.mark.parametrize("starter", get_args(Starter))
def test_a_starter_gains_as_much_as_in_float32(starter: Starter, qp: int, tmp_path: Path) -> None:
    net = starters.load(starter)[0].net
    assert fits(net)
    network = EightBits(net, BLACK, WHITE)
    gains = []
    for planes, target in zip(decoded(tmp_path, qp), decoded(tmp_path, 1), strict=True):
        y, original = planes[0, :1].float(), target[0, :1].float()
        for change in (in_float32(net, planes, BLACK, WHITE), network(planes)):
            restored = (y + (WHITE - BLACK) * change[0]).round().clamp(0, 255)
            gains.append(psnr(restored, original) - psnr(y, original))
    exact, in_bytes = np.mean(gains[::2]), np.mean(gains[1::2])
    assert exact > 0.05
    assert in_bytes == pytest.approx(exact, abs=0.02)


@needs_bytes
@pytest.mark.parametrize(("black", "white"), [(16, 235), (0, 255)])
@pytest.mark.parametrize("takes_qp", [True, False])
def test_the_change_is_that_in_float32(black: int, white: int, takes_qp: bool) -> None:
    net = moved(ecbnet(1, qp=takes_qp), by=0.05)
    net.fold()
    random = torch.Generator().manual_seed(1)
    y = torch.randint(black, white + 1, (2, 1, 30, 40), generator=random).to(torch.uint8)
    qp = 5 * torch.randint(18, 46, (2, 1, 30, 40), generator=random).to(torch.uint8)
    planes = torch.cat((y, qp), 1)[:, : net.graph.planes]
    exact = in_float32(net, planes, black, white)
    error = (EightBits(net, black, white)(planes) - exact).abs()
    assert exact.std() > 0.01
    assert error.mean() < 0.07 * exact.std()
    assert error.max() < 0.4 * exact.std()


@needs_bytes
def test_tiles_have_no_seams() -> None:
    net = moved(ecbnet(1), by=0.05)
    net.fold()
    planes = torch.randint(16, 236, (1, 2, 90, 120), generator=torch.Generator().manual_seed(1))
    network, image = EightBits(net, BLACK, WHITE), planes.to(torch.uint8)
    reaches = reach_of(net.graph)
    assert reaches is not None
    tiling = Tiling(windows(90, 40, reaches[0]), windows(120, 50, reaches[1]))
    assert len(tiling) > 4
    assert torch.equal(in_tiles(network, image, tiling), network(image))


def test_no_sum_of_two_products_exceeds_16_bits() -> None:
    """CPUs without VNNI add two at a time (vpmaddubsw), and saturate."""
    assert 2 * LARGEST * LARGEST_WEIGHT < 2**15


def test_other_networks_do_not_fit() -> None:
    assert fits(GraphNetwork(ecbnet(1, depth=6, maps=24)))
    assert fits(GraphNetwork(ecbnet(1, qp=False)))
    assert not fits(GraphNetwork(ecbnet(3)))
    assert not fits(GraphNetwork(ecbnet(1, depth=9)))
    assert not fits(GraphNetwork(ecbnet(1, maps=33)))
    assert not fits(torch.nn.Identity())
    for name, network in NETWORKS.items():
        assert fits(GraphNetwork(network.graph(1))) == (name == "ecbnet"), name
