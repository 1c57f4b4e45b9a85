"""Tests of metrics against scikit-image and pytorch_msssim."""

import math

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as reference_ms_ssim
from skimage import color
from skimage import metrics as reference

from models.metrics import TILE, luma, psnr, ssim, to_uint8
from models.similarity import ms_ssim, scales_for

Pictures = tuple[torch.Tensor, torch.Tensor]


def noisy(height: int, width: int) -> Pictures:
    """A smooth random picture, and its copy with noise: uint8 (3, H, W)."""
    random = np.random.default_rng(0)
    coarse = torch.tensor(random.random((1, 3, height // 8 + 1, width // 8 + 1)))
    smooth = (
        torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0].numpy() * 255
    )
    a = smooth.round().astype(np.uint8)
    b = np.clip(a + random.normal(0, 12, a.shape), 0, 255).astype(np.uint8)
    return torch.tensor(a), torch.tensor(b)


@pytest.fixture
def pictures() -> Pictures:
    return noisy(40, 56)


def test_psnr_equals_scikit_image(pictures: Pictures) -> None:
    a, b = pictures
    assert psnr(a, b) == pytest.approx(
        reference.peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=255), abs=1e-9
    )


def test_psnr_of_equal_images_is_infinite(pictures: Pictures) -> None:
    assert psnr(pictures[0], pictures[0]) == math.inf


@pytest.mark.parametrize(
    ("height", "width"),
    [(40, 56), (11, 11), (TILE + 20, TILE + 9), (2 * TILE + 10, 64), (300, 257)],
)
def test_ssim_equals_scikit_image_for_any_tiling(height: int, width: int) -> None:
    a, b = noisy(height, width)
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
        "channel_axis": 0,
    }
    assert ssim(a, b) == pytest.approx(
        reference.structural_similarity(a.numpy(), b.numpy(), **options), abs=1e-6
    )


def test_ssim_of_pictures_smaller_than_the_window_is_nan() -> None:
    assert math.isnan(
        ssim(torch.zeros(3, 10, 40, dtype=torch.uint8), torch.zeros(3, 10, 40, dtype=torch.uint8))
    )


def test_ms_ssim_equals_pytorch_msssim() -> None:
    a, b = (picture[None].double() / 255 for picture in noisy(192, 240))
    assert float(ms_ssim(a, b)) == pytest.approx(
        float(reference_ms_ssim(a, b, data_range=1.0)), abs=1e-5
    )


@pytest.mark.parametrize(("side", "scales"), [(64, 3), (11, 1), (22, 2), (176, 5), (400, 5)])
def test_number_of_ms_ssim_scales_depends_on_size(side: int, scales: int) -> None:
    assert scales_for(side) == scales


def test_to_uint8_clamps_and_rounds() -> None:
    assert to_uint8(torch.tensor([-1.0, 0.5, 0.498, 2.0])).tolist() == [0, 128, 127, 255]


def test_luma_equals_full_range_bt601(pictures: Pictures) -> None:
    limited = color.rgb2ycbcr(pictures[0].permute(1, 2, 0).numpy())[:, :, 0]
    full = (limited - 16) * 255 / 219
    assert np.abs(luma(pictures[0])[0].numpy() - full).max() <= 0.52
