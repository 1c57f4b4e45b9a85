"""PSNR and SSIM of the dataset job against scikit-image and models.metrics."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jobs.media.images import Picture
from jobs.media.quality import psnr, ssim
from jobs.networks.pictures import as_tensor
from models import metrics


def two_pictures(height: int, width: int, channels: int = 3) -> tuple[Picture, Picture]:
    random = np.random.default_rng(height * width)
    a = np.cumsum(random.integers(-9, 10, (height, width, channels)), axis=1).clip(-100, 100) + 128
    b = (a + random.normal(0, 8, a.shape)).clip(0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 96, 3), (1, 1, 3), (33, 17, 1), (270, 480, 3)])
def test_psnr_equals_that_of_scikit_image(shape: tuple[int, int, int]) -> None:
    a, b = two_pictures(*shape)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


def test_psnr_of_equal_pictures_is_infinite() -> None:
    a, _ = two_pictures(8, 8)
    assert psnr(a, a) == math.inf


@pytest.mark.parametrize(
    "shape", [(11, 11, 3), (33, 90, 1), (64, 96, 3), (65, 98, 3), (288, 352, 3), (720, 1280, 3)]
)
def test_the_ssim_of_datasets_equals_that_of_tests_and_of_scikit_image(
    shape: tuple[int, int, int],
) -> None:
    a, b = two_pictures(*shape)
    reference = structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert ssim(a, b) == pytest.approx(reference, abs=1e-6)
    assert ssim(a, b) == pytest.approx(metrics.ssim(as_tensor(a), as_tensor(b)), abs=1e-6)


def test_ssim_of_equal_pictures_is_one_and_of_tiny_pictures_unknown() -> None:
    a, b = two_pictures(10, 20)
    assert math.isnan(ssim(a, b))
    c, _ = two_pictures(20, 20, 1)
    assert ssim(c, c) == pytest.approx(1, abs=1e-7)
