"""Networks, metrics, rates and inspection against what others compute."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from models.inspection import channel_grid, statistics, watch_layers, weight_grid
from models.lr_policies import decay_scale, exponential
from models.metrics import psnr, ssim, to_uint8
from models.networks import NETWORKS, Srcnn, parameter_count


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    a = random.integers(0, 256, (3, 40, 56)).astype(np.uint8)
    b = np.clip(a + random.normal(0, 12, a.shape), 0, 255).astype(np.uint8)
    return torch.tensor(a), torch.tensor(b)


def test_psnr_equals_scikit_image(pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    a, b = pictures
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=255), abs=1e-9)


def test_psnr_of_equal_images_is_infinite(pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert psnr(pictures[0], pictures[0]) == math.inf


def test_ssim_equals_scikit_image(pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    a, b = pictures
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": 0}
    assert ssim(a, b) == pytest.approx(structural_similarity(a.numpy(), b.numpy(), **options), abs=1e-7)


def test_to_uint8_clamps_and_rounds() -> None:
    assert to_uint8(torch.tensor([-1.0, 0.5, 0.498, 2.0])).tolist() == [0, 128, 127, 255]


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("skip", [True, False])
def test_an_untrained_network_gives_its_input_back(name: str, skip: bool) -> None:
    image = torch.rand(1, 3, 24, 40)
    assert torch.allclose(NETWORKS[name](skip=skip)(image), image, atol=1e-6)


def test_srcnn_has_the_parameters_of_the_paper() -> None:
    weights = 64 * 3 * 81 + 32 * 64 + 3 * 32 * 25
    assert parameter_count(Srcnn()) == weights + 64 + 32 + 3


@pytest.mark.parametrize(("progress", "expected"), [(0, 1e-3), (0.5, 1e-3 * 0.098**0.5), (1, 9.8e-5)])
def test_rate_decays_by_gamma_over_the_run(progress: float, expected: float) -> None:
    assert exponential(1e-3, 0.098, progress) == pytest.approx(expected)


def test_decay_per_percent_is_gone_after_six_percent() -> None:
    assert exponential(1.0, 0.098, 0.06, decay_scale("percent", 30, 1000)) < 1e-6


def test_decay_per_epoch_and_iteration_count_them() -> None:
    assert exponential(1.0, 0.5, 0.5, decay_scale("epoch", 4, 400)) == pytest.approx(0.25)
    assert exponential(1.0, 0.99, 1.0, decay_scale("iteration", 4, 400)) == pytest.approx(0.99**400)


def test_layers_are_seen_in_the_order_in_which_they_run() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    with watch_layers(net := Srcnn(), lambda name, module, output: seen.append((name, tuple(output.shape)))):
        net(torch.rand(1, 3, 16, 20))
    assert [name for name, _ in seen] == ["conv1", "relu1", "conv2", "relu2", "conv3"]
    assert seen[0][1] == (1, 64, 16, 20)
    net(torch.rand(1, 3, 16, 20))
    assert len(seen) == 5, "no hook stays behind"


def test_statistics_count_every_value() -> None:
    values = torch.tensor([[0.0, 0.0, 1.0, 3.0]])
    found = statistics(values, bins=3)
    assert (found["mean"], found["min"], found["max"], found["zero_share"]) == (1.0, 0.0, 3.0, 0.5)
    assert found["std"] == pytest.approx(values.numpy().std())
    assert found["histogram"]["counts"] == [2, 1, 1]


def test_statistics_of_a_constant_layer() -> None:
    assert sum(statistics(torch.zeros(3, 4))["histogram"]["counts"]) == 12


def test_the_grid_shows_every_channel() -> None:
    maps = torch.arange(10.0)[:, None, None].expand(10, 5, 5)
    grid, (low, high) = channel_grid(maps)
    assert (low, high) == (0, 9)
    assert {round(255 * value / 9) for value in range(10)} <= set(grid.unique().tolist())


def test_the_grid_of_wide_layers_is_made_smaller_and_still_shows_every_channel() -> None:
    maps = torch.arange(64.0)[:, None, None].expand(64, 30, 1000)
    grid, _ = channel_grid(maps)
    assert grid.shape[1] < 2500
    assert {round(255 * value / 63) for value in range(64)} <= set(grid.unique().tolist())


def test_the_grid_of_weights_shows_every_kernel() -> None:
    grid = weight_grid(torch.rand(6, 2, 3, 3))
    assert tuple(grid.shape) == (2 * 13 + 1, 6 * 13 + 1)
