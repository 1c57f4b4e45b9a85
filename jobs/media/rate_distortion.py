"""Rate-distortion curves, and the BD-rate between two of them.

A curve has a point for each rate at which a sequence was coded: the bits of a frame and the PSNR
in dB, each the mean over the frames.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_POINTS = 4
"""The points of a curve that a BD-rate needs."""


def bd_rate(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> float | None:
    """The mean difference in bits at equal PSNR, as a share: -0.072 means 7.2 % fewer bits.

    The points are (bits, PSNR), in any order. None if there are fewer than LEAST_POINTS, if a PSNR
    does not rise with the bits, or if the curves have no PSNR in common.

    Source: G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33,
    2001, and "Improvements of the BD-PSNR model", VCEG-AI11, 2008; with the piecewise cubic
    interpolation of the logarithm of the rate that JCT-VC uses (JCTVC-L1100, common test
    conditions).
    """
    curves = [np.array(sorted(points), np.float64).reshape(-1, 2) for points in (anchor, test)]
    if any(len(curve) < LEAST_POINTS or (np.diff(curve, axis=0) <= 0).any() for curve in curves):
        return None
    low = max(float(curve[0, 1]) for curve in curves)
    high = min(float(curve[-1, 1]) for curve in curves)
    if low >= high:
        return None
    before, after = (_integral(curve[:, 1], np.log(curve[:, 0]), low, high) for curve in curves)
    return math.exp((after - before) / (high - low)) - 1


def _integral(x: Floats, y: Floats, low: float, high: float) -> float:
    """The integral from `low` to `high` of the piecewise cubic through (x, y)."""
    widths, rises, slopes = np.diff(x), np.diff(y) / np.diff(x), _slopes(x, y)
    square = (3 * rises - 2 * slopes[:-1] - slopes[1:]) / widths
    cube = (slopes[:-1] + slopes[1:] - 2 * rises) / widths**2

    def from_left(end: float) -> Floats:
        t = np.clip(end, x[:-1], x[1:]) - x[:-1]
        area: Floats = t * (y[:-1] + t * (slopes[:-1] / 2 + t * (square / 3 + t * cube / 4)))
        return area

    return float((from_left(high) - from_left(low)).sum())


def _slopes(x: Floats, y: Floats) -> Floats:
    """The slopes at the points of a piecewise cubic that keeps the shape of the points (PCHIP).

    Inside, the weighted harmonic mean of both sides, or 0 at an extreme; at the ends, by three
    points.
    Source: F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic
    interpolants", SIAM J. Sci. Stat. Comput. 5, 1984.
    """
    widths, rises = np.diff(x), np.diff(y) / np.diff(x)
    left, right = widths[1:] + 2 * widths[:-1], 2 * widths[1:] + widths[:-1]
    both = rises[:-1] * rises[1:]
    mean = (left + right) * both / np.where(both > 0, right * rises[1:] + left * rises[:-1], 1)
    inside = np.where(both > 0, mean, 0)
    return np.array([_end(widths, rises), *inside, _end(widths[::-1], rises[::-1])])


def _end(widths: Floats, rises: Floats) -> float:
    slope = ((2 * widths[0] + widths[1]) * rises[0] - widths[0] * rises[1]) / (
        widths[0] + widths[1]
    )
    if slope * rises[0] <= 0:
        return 0.0
    overshoots = rises[0] * rises[1] < 0 and abs(slope) > 3 * abs(rises[0])
    return float(3 * rises[0] if overshoots else slope)
