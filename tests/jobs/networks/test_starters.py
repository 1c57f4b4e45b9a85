"""Tests of the networks that come with the package."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from jobs.core.errors import JobError
from jobs.media.h264 import encode
from jobs.media.sample_clip import scene
from jobs.media.video import decode_frames, to_picture
from jobs.networks import starters
from jobs.networks.from_spec import STARTERS, make_network
from jobs.specs.networks import EcbNet, Srcnn915, Start, Starter
from models import tiles
from models.branches import BranchedConv
from models.metrics import luma, psnr, to_uint8
from scripts.starter_material import FRAMES, PER_FRAME
from scripts.train_starter import (
    KNOTS,
    fitted_factor,
    fitted_strengths,
    measured,
    output,
    set_strength,
)

CLIP = list(scene(4, 160, 96, 1))


def gain(starter: Starter, folder: Path, qp: int, known: bool) -> float:
    """Gain in PSNR of Y on a drawn clip, with its QP or without."""
    encode(iter(CLIP), folder / "clip.h264", {"qp": str(qp)})
    restorer, channels = starters.load(starter)
    assert channels == 3
    gains = []
    decoded = decode_frames(folder / "clip.h264")
    for original, frame in zip(CLIP, decoded, strict=True):
        target, input = (
            torch.from_numpy(np.array(picture)).permute(2, 0, 1)
            for picture in (original, to_picture(frame))
        )
        plane = torch.full((1, *input.shape[1:]), 5 * qp if known else 0, dtype=torch.uint8)
        restored = to_uint8(tiles.restore(restorer, torch.cat([input, plane])[None])[0])
        gains.append(psnr(luma(restored), luma(target)) - psnr(luma(input), luma(target)))
    return sum(gains) / len(gains)


@pytest.mark.parametrize("starter", get_args(Starter))
def test_starter_improves_strong_damage_and_keeps_mild(starter: Starter, tmp_path: Path) -> None:
    assert gain(starter, tmp_path, 37, known=True) > 0.02
    assert gain(starter, tmp_path, 37, known=False) > -0.02
    assert gain(starter, tmp_path, 18, known=True) > -0.02


@pytest.mark.parametrize("starter", get_args(Start))
def test_starter_is_small_folded_and_has_a_card(starter: Start) -> None:
    path = STARTERS / f"{starter}.safetensors"
    assert path.stat().st_size < 10**6
    assert path.with_suffix(".md").read_text().startswith("# ")
    restorer, _ = starters.load(starter)
    assert restorer.takes_qp == (starter != "example")
    assert not any(isinstance(module, BranchedConv) for module in restorer.modules())
    assert not restorer.training


@pytest.mark.parametrize(
    ("network", "starter"),
    [
        (EcbNet(start="starter"), "fast"),
        (EcbNet(depth=8, maps=24, start="starter"), "good"),
        (Srcnn915(start="starter"), "example"),
    ],
)
def test_network_starts_from_the_starter_of_its_shape(
    network: EcbNet | Srcnn915, starter: Start
) -> None:
    net = make_network(network, 1).eval()
    trained, _ = starters.load(starter)
    image = torch.rand(1, 1 + trained.takes_qp, 20, 31)
    with torch.no_grad():
        assert torch.allclose(net(image), trained.net(image), atol=1e-5)
        assert not torch.allclose(net(image), image[:, :1], atol=1e-4)


def test_starter_of_another_shape_is_refused() -> None:
    for spec, channels in (
        (EcbNet(maps=8, start="starter"), 1),
        (EcbNet(start="starter"), 3),
        (EcbNet(qp=False, start="starter"), 1),
        (Srcnn915(skip=False, start="starter"), 1),
        (Srcnn915(maps2=16, start="starter"), 1),
        (Srcnn915(start="starter"), 3),
    ):
        with pytest.raises(JobError, match="No starter has the shape"):
            make_network(spec, channels)


def test_fitted_strengths_are_those_of_the_most_gain() -> None:
    chance, count = np.random.default_rng(0), 5 * FRAMES * PER_FRAME
    target = chance.integers(60, 180, (count, 32, 32), np.uint8)
    qps = np.repeat([0, *KNOTS], count // 5)
    shard = {
        "input": target + chance.integers(0, 9, target.shape, np.uint8),
        "target": target,
        "qp": np.broadcast_to(qps[:, None, None], target.shape),
        "error": np.full(count, 30, np.float32),
    }
    net = make_network(EcbNet(depth=2, maps=4), 1)
    with torch.no_grad():
        # The inputs are too bright: all shots gain, most at the strength where this is undone.
        net.get_parameter("conv2.bias").fill_(-1)
        net.get_parameter("strength2.bias").fill_(2)
    strengths = fitted_strengths(np.array(list(measured(net, [shard]))))
    best = 4 / 219 / 0.02
    assert strengths == pytest.approx([0, best, best, best], abs=0.06)


def test_a_loss_counts_more_than_a_gain() -> None:
    # (QP, squared error, error times change, squared change)
    gaining, losing = (24.0, 4e-4, 1e-4, 1e-4), (24.0, 4e-4, 0.0, 1e-4)
    assert fitted_strengths(np.array([gaining] * 3))[1] == pytest.approx(1.0)
    assert fitted_strengths(np.array([gaining, gaining, losing]))[1] == pytest.approx(0.2, abs=0.11)


def test_the_one_strength_of_a_network_without_qp_prefers_few_losses() -> None:
    # (QP, squared error, error times change, squared change): two shots gain most at the whole
    # change, the third only loses.
    gaining, losing = (30.0, 4e-4, 1e-4, 1e-4), (20.0, 4e-4, 0.0, 1e-4)
    assert fitted_factor(np.array([gaining] * 3), 10) == pytest.approx(1.0)
    assert fitted_factor(np.array([gaining, gaining, losing]), 10) == pytest.approx(0.4, abs=0.11)
    assert fitted_factor(np.array([losing]), 10) == 0


def test_the_strength_of_a_network_without_qp_is_that_of_its_last_layer() -> None:
    torch.manual_seed(0)
    net = make_network(Srcnn915(start="starter"), 1).eval()
    image = torch.rand(1, 2, 20, 31)
    with torch.no_grad():
        whole = output(net, image) - image[:, :1]
        set_strength(net, (0.5,))
        assert torch.allclose(output(net, image) - image[:, :1], whole / 2, atol=1e-6)


def test_strength_is_linear_between_the_knots() -> None:
    net = make_network(EcbNet(depth=2, maps=4), 1)
    set_strength(net, (0.0, 0.4, 0.6, 1.0))
    middle = (KNOTS[2] + KNOTS[3]) / 2
    qps = torch.tensor([0.0, 12.0, *KNOTS, middle, 45.0]).reshape(-1, 1, 1, 1) / 51
    inner, outer = (net.get_submodule(f"strength{number}") for number in (1, 2))
    with torch.no_grad():
        strengths = outer(inner(qps).relu()).flatten().tolist()
    assert strengths == pytest.approx([0, 0, 0, 0.4, 0.6, 1, 0.8, 1], abs=1e-5)
