"""PSNR and SSIM between the input and the target of a pair.

`models.metrics` computes the same of tensors, for tests and validations. A dataset job measures
each pair, and has no torch: Numba compiles these loops for the processor that they run on.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.floating[Any]]
Values = NDArray[np.uint8]
"""A picture as rows of values (H, W * C), or one of its rows."""
Lines = tuple[Floats, Floats, Floats, Floats]
"""A row of each of the four maps of `_measure`."""
Shifts = tuple[np.float32, np.float32]
"""What was subtracted from sums and from differences."""

C1, C2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
HALF = np.float32(0.5)
WINDOW, SIGMA = 11, 1.5
EDGE = WINDOW - 1
ROWS, COLUMNS = 32, 512
"""Places of a tile, whose maps stay in the processor's cache."""
UNALIKE = 500
"""The mean squared error above which float32 is too coarse for an error of 1e-6."""


def psnr(a: Picture, b: Picture) -> float:
    """PSNR in dB over all values of two uint8 pictures; infinite if they are equal."""
    error = _squared_error(_values(a), _values(b)) / a.size
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity of two uint8 pictures (H, W, C), averaged over the channels.

    Wang, Bovik, Sheikh, Simoncelli (2004): Gaussian window of 11x11 with sigma 1.5, population
    variances, only places with the whole window inside. Equals `models.metrics.ssim` and
    scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False) to 1e-6. NaN for pictures smaller than the window.
    """
    height, width, channels = a.shape
    places = (height - EDGE) * (width - EDGE) * channels
    if min(height, width) < WINDOW:
        return math.nan
    x, y = _values(a), _values(b)
    alike = _squared_error(x, y) <= UNALIKE * a.size
    size = (ROWS + EDGE) * (COLUMNS + EDGE * channels)
    maps, down, across = np.empty((3, 4, size), np.float32 if alike else np.float64)
    return float(_ssim_sum(x, y, channels, maps, down, across) / places)


def _values(picture: Picture) -> Values:
    values = np.ascontiguousarray(picture).reshape(len(picture), -1)
    # One type of array, one compiled function: another could round differently.
    values.setflags(write=False)
    return values


def _window() -> NDArray[np.float32]:
    """Half of the symmetric window, up to its centre. The sum of the whole is 1.

    The outermost weights, whose float32 is the finest, take what rounding the others leaves: any
    other sum would add to each variance.
    """
    weights = np.exp(-((np.arange(WINDOW // 2 + 1) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    weights /= 2 * weights.sum() - weights[-1]
    rounded = weights.astype(np.float32)
    whole = 2 * rounded.sum(dtype=np.float64) - rounded[-1]
    rounded[0] += (1 - whole) / 2
    return rounded


W0, W1, W2, W3, W4, W5 = _window()


def _compiled(function: Function) -> Function:
    """Compile a function when it is first called. Other processes load it from __pycache__."""
    try:
        return _compile(function, cache=True)
    except RuntimeError:  # Neither __pycache__ nor the user's cache can be written.
        return _compile(function, cache=False)


def _compile(function: Function, cache: bool) -> Function:
    fastmath = {"contract", "reassoc", "nsz", "arcp"}
    return cast(
        Function,
        numba.njit(function, cache=cache, nogil=True, error_model="numpy", fastmath=fastmath),
    )


@_compiled
def _squared_error(a: Values, b: Values) -> int:
    """The sum of the squared differences, exact."""
    total = 0
    for row in range(a.shape[0]):
        x, y = a[row], b[row]
        for i in range(x.size):
            difference = np.int32(x[i]) - np.int32(y[i])
            total += int(difference * difference)
    return total


@_compiled
def _ssim_sum(
    a: Values, b: Values, channels: int, maps: Floats, down: Floats, across: Floats
) -> float:
    """The sum of the SSIM of all places. The maps, (4, values of a tile) each, are memory."""
    edge = EDGE * channels
    total = 0.0
    for top in range(0, a.shape[0] - EDGE, ROWS):
        for left in range(0, a.shape[1] - edge, COLUMNS):
            rows, columns = slice(top, top + ROWS + EDGE), slice(left, left + COLUMNS + edge)
            total += _tile_sum(a[rows, columns], b[rows, columns], channels, maps, down, across)
    return total


@_compiled
def _tile_sum(
    a: Values, b: Values, channels: int, maps: Floats, down: Floats, across: Floats
) -> float:
    height, width = a.shape
    rows, columns = height - EDGE, width - EDGE * channels
    # Around their mean the rounding errors of squares are smaller; variances stay the same.
    mean_a, mean_b = _mean(a[height // 2]), _mean(b[height // 2])
    shifts = mean_a + mean_b, mean_a - mean_b
    for row in range(height):
        _measure(a[row], b[row], shifts, _lines(maps, row * width))
    for map in range(4):
        _blur(maps[map], width, down[map, : rows * width])
    total = 0.0
    for row in range(rows):
        for map in range(4):
            _blur(down[map, row * width :], channels, across[map, :columns])
        total += _similarity(_lines(across, 0), shifts, columns)
    return total


@_compiled
def _lines(maps: Floats, start: int) -> Lines:
    return maps[0, start:], maps[1, start:], maps[2, start:], maps[3, start:]


@_compiled
def _mean(values: Values) -> np.float32:
    total = 0
    for i in range(values.size):
        total += values[i]
    return np.float32(total / values.size)


@_compiled
def _measure(x: Values, y: Values, shifts: Shifts, lines: Lines) -> None:
    """Write the four maps of a row: sums and differences of the two pictures, and their squares.

    Unlike products, these keep the small differences of pictures that are alike.
    """
    sums, differences, square_sums, square_differences = lines
    for i in range(x.size):
        a, b = np.float32(x[i]), np.float32(y[i])
        sums[i] = a + b - shifts[0]
        differences[i] = a - b - shifts[1]
    for i in range(x.size):
        square_sums[i] = sums[i] * sums[i]
        square_differences[i] = differences[i] * differences[i]


@_compiled
def _blur(values: Floats, step: int, blurred: Floats) -> None:
    """Blur along neighbours that are `step` values apart: rows or pixels."""
    # One slice for each weight: with computed indices, the loop would not use SIMD.
    a, b, c = values, values[step:], values[2 * step :]
    d, e, f = values[3 * step :], values[4 * step :], values[5 * step :]
    g, h, i = values[6 * step :], values[7 * step :], values[8 * step :]
    j, k = values[9 * step :], values[10 * step :]
    for n in range(blurred.size):
        blurred[n] = (
            W0 * (a[n] + k[n])
            + W1 * (b[n] + j[n])
            + W2 * (c[n] + i[n])
            + W3 * (d[n] + h[n])
            + W4 * (e[n] + g[n])
            + W5 * f[n]
        )


@_compiled
def _similarity(lines: Lines, shifts: Shifts, count: int) -> float:
    """The sum of the SSIM of a row, from the blurred maps of `_measure`.

    With s = x + y and d = x - y: 2 cov(x, y) = (var(s) - var(d)) / 2, and var(x) + var(y) =
    (var(s) + var(d)) / 2; likewise for products and squares of the means.
    """
    sums, differences, square_sums, square_differences = lines
    total = 0.0
    for i in range(count):
        difference_variance = square_differences[i] - differences[i] * differences[i]
        variance = square_sums[i] - sums[i] * sums[i] + difference_variance
        sum_mean, difference_mean = sums[i] + shifts[0], differences[i] + shifts[1]
        difference_mean *= difference_mean
        contrast = HALF * variance + C2
        light = HALF * (sum_mean * sum_mean + difference_mean) + C1
        similarity = (contrast - difference_variance) * (light - difference_mean)
        total += similarity / (contrast * light)
    return total
