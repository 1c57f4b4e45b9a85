"""PSNR and SSIM of the dataset job against scikit-image and ffmpeg."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from jobs.media.images import Picture
from jobs.media.quality import psnr, psnr_and_ssim, ssim


def two_pictures(height: int, width: int, channels: int = 3) -> tuple[Picture, Picture]:
    random = np.random.default_rng(height * width)
    a = np.cumsum(random.integers(-9, 10, (height, width, channels)), axis=1).clip(-100, 100) + 128
    b = (a + random.normal(0, 8, a.shape)).clip(0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 96, 3), (1, 1, 3), (33, 17, 1), (270, 480, 3)])
def test_psnr_equals_that_of_scikit_image(shape: tuple[int, int, int]) -> None:
    a, b = two_pictures(*shape)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


@pytest.mark.parametrize(
    "shape", [(64, 96, 3), (65, 98, 3), (7, 7, 3), (288, 352, 1), (720, 1280, 3)]
)
def test_one_pass_gives_the_same_psnr_and_ssim(shape: tuple[int, int, int]) -> None:
    a, b = two_pictures(*shape)
    both = psnr_and_ssim(a, b)
    assert both[0] == pytest.approx(psnr(a, b), abs=1e-12)
    assert both[1] == pytest.approx(ssim(a, b), abs=1e-12, nan_ok=True)
    assert psnr_and_ssim(a, a)[0] == math.inf


def test_psnr_of_equal_pictures_is_infinite() -> None:
    a, _ = two_pictures(8, 8)
    assert psnr(a, a) == math.inf


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("size", [(64, 96), (288, 352), (65, 98), (720, 1280)])
def test_ssim_equals_that_of_ffmpegs_filter(size: tuple[int, int], tmp_path: Path) -> None:
    a, b = two_pictures(*size)
    inputs = []
    for name, picture in (("a", a), ("b", b)):
        picture.tofile(tmp_path / name)
        inputs += [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            f"{size[1]}x{size[0]}",
            "-i",
            str(tmp_path / name),
        ]
    graph = "[0]format=gbrp[a];[1]format=gbrp[b];[a][b]ssim=stats_file=-"
    command = ["ffmpeg", "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expected = float(output.split("All:")[1].split()[0])
    assert ssim(a, b) == pytest.approx(expected, abs=2e-6)


def test_ssim_of_equal_pictures_is_one_and_of_tiny_pictures_unknown() -> None:
    a, b = two_pictures(7, 20)
    assert math.isnan(ssim(a, b))
    c, _ = two_pictures(20, 20, 1)
    assert ssim(c, c) == 1
