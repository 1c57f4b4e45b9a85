"""Tests of the BD-rate: against another implementation, and where there is none."""

import numpy as np
import pytest

from jobs.media.rate_distortion import bd_rate

INPUT = [(88_000.0, 40.1), (41_000.0, 36.9), (19_500.0, 33.6), (9_100.0, 30.4)]


def shifted(points: list[tuple[float, float]], gain: float) -> list[tuple[float, float]]:
    return [(bits, psnr + gain) for bits, psnr in points]


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_that_of_the_package_bjontegaard(seed: int) -> None:
    import bjontegaard  # Here, since it loads matplotlib.

    random, curves = np.random.default_rng(seed), []
    for points in random.integers(4, 8, 2):
        bits = np.cumsum(random.uniform(0.1, 2, points)) + random.uniform(7, 9)
        psnrs = np.cumsum(random.uniform(0.05, 4, points)) + random.uniform(27, 30)
        curves.append(list(zip(np.exp(bits).tolist(), psnrs.tolist(), strict=True)))
    columns = [column for curve in curves for column in zip(*curve, strict=True)]
    options = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    expected = bjontegaard.bd_rate(*columns, **options) / 100
    assert bd_rate(*curves) == pytest.approx(expected, abs=1e-9)


def test_a_gain_needs_fewer_bits_and_a_loss_more() -> None:
    assert bd_rate(INPUT, INPUT) == pytest.approx(0)
    fewer, more = bd_rate(INPUT, shifted(INPUT, 0.3)), bd_rate(INPUT, shifted(INPUT, -0.3))
    assert fewer is not None
    assert more is not None
    assert -0.08 < fewer < -0.05 < 0.05 < more < 0.08
    half = [(bits / 2, psnr) for bits, psnr in reversed(INPUT)]
    assert bd_rate(INPUT, half) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "points",
    [
        INPUT[:3],
        shifted(INPUT, 20),
        [*INPUT[:3], (50_000.0, 30.4)],
        [*INPUT, (88_000.0, 41.0)],
        [],
    ],
    ids=["three points", "no PSNR in common", "less PSNR for more bits", "a rate twice", "none"],
)
def test_some_curves_have_none(points: list[tuple[float, float]]) -> None:
    assert bd_rate(INPUT, points) is None
