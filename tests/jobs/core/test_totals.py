"""Totals over many restored images."""

import math
from array import array
from typing import Any

import pytest

from jobs.core.totals import Fluctuation, Totals, gain_of_image, histogram


def row(before: float | None, after: float | None, **fields: Any) -> Any:
    return {
        "pair": 0,
        "psnr_input": before,
        "psnr_output": after,
        "ssim_input": 0.5,
        "ssim_output": 0.75,
        **fields,
    }


@pytest.mark.parametrize(
    ("before", "after", "gain"),
    [(30.0, 31.5, 1.5), (30.0, None, math.inf), (None, 40.0, -math.inf), (None, None, 0.0)],
)
def test_the_psnr_of_equal_images_is_null_and_means_infinity(
    before: float | None, after: float | None, gain: float
) -> None:
    assert gain_of_image(row(before, after)) == gain


def test_without_a_ground_truth_there_is_no_gain() -> None:
    assert math.isnan(gain_of_image({"target": None, "psnr_input": None, "psnr_output": None}))


def test_means_need_both_scores_and_better_and_worse_count_all_images() -> None:
    totals = Totals()
    results: list[Any] = [
        row(30.0, 31.0),
        row(20.0, 19.0),
        row(25.0, 25.004),
        row(40.0, None),
        {"why": "broken"},
    ]
    for result in results:
        totals.add(result)
    totals.add(
        {
            "target": None,
            **dict.fromkeys(("psnr_input", "psnr_output", "ssim_input", "ssim_output")),
        }
    )
    facts = totals.facts()
    assert [facts[name] for name in ("images", "failed", "measured", "better", "worse")] == [
        5,
        1,
        4,
        2,
        1,
    ]
    assert facts["mean"]["psnr_input"] == 25.0
    assert facts["median"]["psnr_output"] == 25.004
    assert facts["mean"]["ssim_output"] == 0.75
    assert (facts["gain"]["best"], facts["gain"]["worst"], facts["gain"]["improved"]) == (
        1.0,
        -1.0,
        0.5,
    )


def test_the_outer_bars_hold_images_that_equalled_their_original_before_or_after() -> None:
    totals = Totals()
    for before, after in ((30.0, 29.0), (30.0, 31.0), (None, 40.0), (None, 41.0), (30.0, None)):
        totals.add(row(before, after))
    counts = totals.facts()["gain"]["histogram"]["counts"]
    assert (counts[0], counts[-1], sum(counts)) == (3, 2, 5)


def test_totals_without_measurements_have_neither_means_nor_a_gain() -> None:
    facts = Totals().facts()
    assert (facts["mean"]["psnr_input"], facts["gain"]) == (None, None)


@pytest.mark.parametrize(
    "values",
    [
        [-0.4, 0.1, 0.9],
        [0.2],
        [-3.0, -2.9999],
        [1e-9, 50.0],
        [0.0, 0.0],
        [0.3, 0.5, 1.9],  # 0.3 / 0.1 is a little less than 3.
        [math.nextafter(0.3, 0), 1.9, 2.3],
    ],
)
def test_every_gain_is_in_its_bar_and_the_first_bar_holds_the_worst(values: list[float]) -> None:
    result = histogram(array("d", values))
    counts, edges = result["counts"], result["edges"]
    assert len(edges) == len(counts) + 1
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert count == sum(low <= value < high for value in values)
    assert sum(counts) == len(values)
    assert counts[0] > 0
    assert counts[-1] > 0
    assert edges[0] <= min(values) < edges[1]
    if min(values) < 0 < max(values):
        assert 0 in edges


def test_fluctuation_is_the_mean_deviation_of_streams_with_two_frames() -> None:
    fluctuation = Fluctuation()
    assert fluctuation.mean() is None
    for stream, before, after in (
        ("a", 30.0, 31.0),
        ("a", 34.0, 33.0),
        ("a", 40.0, math.inf),
        ("a", None, 40.0),
        ("b", 20.0, 20.0),
        ("b", 21.0, 20.0),
        ("single", 50.0, 10.0),
    ):
        fluctuation.add(stream, before, after)
    assert fluctuation.mean() == {"input": (2 + 0.5) / 2, "output": (1 + 0) / 2}
