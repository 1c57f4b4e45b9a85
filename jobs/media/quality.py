"""Fast PSNR and SSIM between the input and the target of a pair, with numpy only.

`models.metrics` has the same PSNR for tensors, and the Gaussian SSIM that tests report.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture

Sums = NDArray[np.float32]

VALUES_PER_STRIP = 2**19
"""Pictures are summed in strips of about this many values, to limit the memory of large ones."""

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Picture, b: Picture) -> float:
    """PSNR in dB over all values of two uint8 pictures; infinite if they are equal."""
    difference = (np.maximum(a, b) - np.minimum(a, b)).ravel().astype(np.float64)
    # Exact: all sums are integers below 2^53. einsum, unlike @, starts no threads.
    error = float(np.einsum("i,i", difference, difference)) / difference.size
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity (Wang et al. 2004) over windows of 8x8 at every fourth pixel.

    Averaged over the channels. x264 and ffmpeg's `ssim` filter compute the same for each plane. It
    takes about 0.5 ms for a frame of 352x288; a Gaussian window takes fifty times as long. NaN for
    pictures smaller than a window.
    """
    return _ssim(_cells(a, b)) if min(a.shape[:2]) >= 8 else math.nan


def psnr_and_ssim(a: Picture, b: Picture) -> tuple[float, float]:
    """PSNR and SSIM, in one pass if the size is a multiple of a cell (4x4)."""
    height, width = a.shape[:2]
    if min(height, width) < 8 or height % 4 or width % 4:
        return psnr(a, b), ssim(a, b)
    cells = _cells(a, b)
    error = float(cells[2].sum(dtype=np.float64) - 2 * cells[3].sum(dtype=np.float64)) / a.size
    return 10 * math.log10(255**2 / error) if error else math.inf, _ssim(cells)


def _ssim(cells: Sums) -> float:
    """SSIM from the sums of cells. A window is 2x2 cells, and windows overlap by half."""
    across = cells[:, :, 1:] + cells[:, :, :-1]
    sum_a, sum_b, squares, products = (across[:, 1:] + across[:, :-1]).astype(np.float64)
    means, mean_squares = sum_a * sum_b, sum_a * sum_a + sum_b * sum_b
    # ffmpeg's vf_ssim.c, ssim_end1: sums over 64 values instead of means, and variances over 63.
    c1, c2 = C1 * 64 * 64, C2 * 64 * 63
    similarity = (2 * means + c1) * (2 * (64 * products - means) + c2)
    similarity /= (mean_squares + c1) * (64 * squares - mean_squares + c2)
    return float(similarity.mean())


def _cells(a: Picture, b: Picture) -> Sums:
    """Sums of a, b, a^2 + b^2 and ab over cells of 4x4 pixels, float32 (4, rows, columns, C).

    Exact: all sums are below 2^24.
    """
    height, width, channels = a.shape
    rows, columns = height // 4, width // 4
    values = columns * 4 * channels
    sums = np.empty((4, rows, values), np.float32)
    strip = max(1, VALUES_PER_STRIP // (4 * values))
    for row in range(0, rows, strip):
        end = min(row + strip, rows)
        x, y = (
            p[row * 4 : end * 4].reshape(end - row, 4, -1)[:, :, :values].astype(np.float32)
            for p in (a, b)
        )
        sum_x, sum_y, squares, products = sums[:, row:end]
        np.einsum("nrv->nv", x, out=sum_x)
        np.einsum("nrv->nv", y, out=sum_y)
        np.einsum("nrv,nrv->nv", x, x, out=squares)
        squares += np.einsum("nrv,nrv->nv", y, y)
        np.einsum("nrv,nrv->nv", x, y, out=products)
    # A matrix product adds four pixels of a row. numpy's sum over so few values takes four times as
    # long.
    return (sums.reshape(-1, 4 * channels) @ _adding(channels)).reshape(4, rows, columns, channels)


@cache
def _adding(channels: int) -> Sums:
    """The matrix (4C, C) that adds four pixels of C channels."""
    return np.kron(np.ones((4, 1)), np.eye(channels)).astype(np.float32)
