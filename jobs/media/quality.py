"""PSNR and SSIM between the input and the target of a pair, with numpy only.

`models.metrics` computes the same of tensors, for tests and validations.
"""

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture

Floats = NDArray[np.float32]

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WINDOW, SIGMA = 11, 1.5
EDGE = WINDOW - 1
BLOCK = 22
"""Places that one product with a band matrix computes: larger blocks multiply more zeros, smaller
ones repeat more of their surroundings."""


def psnr(a: Picture, b: Picture) -> float:
    """PSNR in dB over all values of two uint8 pictures; infinite if they are equal."""
    difference = (np.maximum(a, b) - np.minimum(a, b)).ravel().astype(np.float64)
    # Exact: all sums are integers below 2^53. einsum, unlike @, starts no threads.
    error = float(np.einsum("i,i", difference, difference)) / difference.size
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity of two uint8 pictures (H, W, C), averaged over the channels.

    Wang, Bovik, Sheikh, Simoncelli (2004): Gaussian window of 11x11 with sigma 1.5, population
    variances, only places with the whole window inside. Equals `models.metrics.ssim` and
    scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False) to 1e-6. NaN for pictures smaller than the window.
    """
    height, width, channels = a.shape
    rows, columns = height - EDGE, width - EDGE
    if min(rows, columns) < 1:
        return math.nan
    # Strips keep the intermediate results in the processor's cache.
    total = sum(
        _ssim_sum(a[top : top + BLOCK + EDGE], b[top : top + BLOCK + EDGE])
        for top in range(0, rows, BLOCK)
    )
    return float(total / (rows * columns * channels))


def _ssim_sum(a: Picture, b: Picture) -> float:
    """The sum of the SSIM of all places in a strip."""
    height, width, channels = a.shape
    maps = _memory("maps", 4, height, channels, width)
    # Around zero the rounding errors of the products are smaller; variances stay the same.
    for picture, values in zip((a, b), maps, strict=False):
        np.subtract(picture.transpose(0, 2, 1), np.float32(128), out=values)
    x, y, squares, products = maps
    np.multiply(x, y, out=products)
    np.multiply(x, x, out=squares)
    squares += y * y
    mean_x, mean_y, squares, products = _blurred(maps)
    mean_products, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    products -= mean_products
    squares -= mean_squares
    # The means shifted back: (x + 128) (y + 128) = xy + 128 (x + y) + 128^2.
    shift = 256 * (mean_x + mean_y) + 2 * 128**2
    similarity = (2 * products + C2) * (2 * mean_products + shift + C1)
    similarity /= (squares + C2) * (mean_squares + shift + C1)
    return float(similarity.sum(dtype=np.float64))


def _blurred(maps: Floats) -> Floats:
    """Blur maps (N, rows, C, W) by the window, at places with the whole window inside."""
    count, height, channels, width = maps.shape
    rows, columns = height - EDGE, width - EDGE
    down = _memory("down", count, rows, channels * width)
    np.matmul(_band(rows), maps.reshape(count, height, -1), out=down)
    lines = down.reshape(-1, width)
    blurred = _memory("blurred", count, rows * channels, columns)
    across = blurred.reshape(-1, columns)
    for left in range(0, columns, BLOCK):
        size = min(BLOCK, columns - left)
        part = lines[:, left : left + size + EDGE]
        np.matmul(part, _band(size).T, out=across[:, left : left + size])
    return blurred


@lru_cache(maxsize=16)
def _memory(purpose: str, *shape: int) -> Floats:
    """Memory for each strip in turn: to get fresh memory takes longer than the arithmetic."""
    return np.empty(shape, np.float32)


@cache
def _band(size: int) -> Floats:
    """A matrix (size, size + 10): each row is the window, shifted by a place per row."""
    distance = np.arange(size + EDGE) - np.arange(size)[:, None] - WINDOW // 2
    window = np.exp(-(distance**2) / (2 * SIGMA**2)) * (abs(distance) <= WINDOW // 2)
    band: Floats = (window / window.sum(1, keepdims=True)).astype(np.float32)
    return band
