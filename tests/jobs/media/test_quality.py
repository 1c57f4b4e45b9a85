"""PSNR and SSIM of the dataset job against scikit-image and models.metrics."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from skimage import metrics as reference

from jobs.core.paths import ROOT
from jobs.media import quality
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
    assert psnr(a, b) == pytest.approx(
        reference.peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9
    )


def test_psnr_of_equal_pictures_is_infinite() -> None:
    a, _ = two_pictures(8, 8)
    assert psnr(a, a) == math.inf


def scikit_image(a: Picture, b: Picture) -> float:
    return float(
        reference.structural_similarity(
            *(a, b),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=2,
        )
    )


@pytest.mark.parametrize(
    "shape", [(11, 11, 3), (33, 90, 1), (64, 96, 3), (65, 98, 3), (288, 352, 3), (720, 1280, 3)]
)
def test_the_ssim_of_datasets_equals_that_of_tests_and_of_scikit_image(
    shape: tuple[int, int, int],
) -> None:
    a, b = two_pictures(*shape)
    assert ssim(a, b) == pytest.approx(scikit_image(a, b), abs=1e-6)
    assert ssim(a, b) == pytest.approx(metrics.ssim(as_tensor(a), as_tensor(b)), abs=1e-6)


def test_ssim_of_equal_pictures_is_one_and_of_tiny_pictures_unknown() -> None:
    a, b = two_pictures(10, 20)
    assert math.isnan(ssim(a, b))
    c, _ = two_pictures(20, 20, 1)
    assert ssim(c, c) == pytest.approx(1, abs=1e-7)


def flat(level: int) -> Picture:
    return np.full((90, 200, 3), level, np.uint8)


def noisy(picture: Picture, deviation: float) -> Picture:
    noise = np.random.default_rng(1).normal(0, deviation, picture.shape)
    return (picture + noise).clip(0, 255).round().astype(np.uint8)


def blocks(side: int, levels: list[int]) -> Picture:
    chosen = np.random.default_rng(side).choice(levels, (90 // side + 1, 200 // side + 1, 3))
    return np.kron(chosen, np.ones((side, side, 1)))[:90, :200].astype(np.uint8)


RAMP = np.broadcast_to(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], (90, 200, 3))
BLACK_AND_WHITE = blocks(32, [0, 255])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (flat(255), flat(255)),
        (flat(255), flat(254)),
        (flat(255), flat(128)),
        (flat(255), noisy(flat(255), 8)),
        (flat(3), noisy(flat(3), 1)),
        (noisy(flat(128), 90), noisy(flat(100), 90)[::-1]),
        (BLACK_AND_WHITE, noisy(BLACK_AND_WHITE, 5)),
        (BLACK_AND_WHITE, flat(128)),
        (blocks(64, [60, 200]), blocks(40, [0, 255])),
        (blocks(3, [0, 255]), noisy(blocks(3, [0, 255]), 10)),
        (RAMP, 255 - RAMP),
    ],
)
def test_rounding_errors_of_ssim_are_small_in_flat_and_extreme_pictures(
    a: Picture, b: Picture
) -> None:
    assert ssim(a, b) == pytest.approx(scikit_image(a, b), abs=2e-7)


def test_pictures_that_are_not_contiguous_or_read_only_are_measured() -> None:
    a, b = two_pictures(40, 60)
    part = a[3:33, 5:45], b[3:33, 5:45]
    expected = ssim(*map(np.ascontiguousarray, part)), psnr(*map(np.ascontiguousarray, part))
    for picture in (a, b):
        picture.setflags(write=False)
    assert (ssim(*part), psnr(*part)) == expected


def test_threads_measure_at_the_same_time() -> None:
    pairs = [two_pictures(64 + 3 * number, 96) for number in range(8)]
    expected = [ssim(a, b) for a, b in pairs]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda pair: ssim(*pair), pairs * 20)) == expected * 20


def test_without_a_folder_for_compiled_code_pictures_are_measured(tmp_path: Path) -> None:
    package = tmp_path / "quality.py"
    package.write_text(Path(quality.__file__).read_text())
    (tmp_path / "__pycache__").write_text("no folder")
    code = (
        "import numpy as np, quality; picture = np.zeros((2, 2, 3), np.uint8); "
        "print(quality.psnr(picture, picture + 255))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
        "HOME": str(package),
        "XDG_CACHE_HOME": str(package),
    }
    command = [sys.executable, "-P", "-c", code]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout == "0.0\n"
