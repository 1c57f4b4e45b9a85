"""What many restored images are together."""

import math
from typing import Any

import pytest

from jobs.core.totals import Totals, gain_of, histogram


def row(before: float | None, after: float | None, **more: Any) -> dict[str, Any]:
    return {
        "pair": 0,
        "psnr_input": before,
        "psnr_output": after,
        "ssim_input": 0.5,
        "ssim_output": 0.75,
        **more,
    }


@pytest.mark.parametrize(
    ("before", "after", "gain"),
    [(30.0, 31.5, 1.5), (30.0, None, math.inf), (None, 40.0, -math.inf), (None, None, 0.0)],
)
def test_the_psnr_of_equal_images_is_null_and_without_an_end(
    before: float | None, after: float | None, gain: float
) -> None:
    assert gain_of(row(before, after)) == gain


def test_without_a_ground_truth_there_is_no_gain() -> None:
    assert math.isnan(gain_of({"target": None, "psnr_input": None, "psnr_output": None}))


def test_means_are_of_those_that_have_both_numbers_and_better_and_worse_of_all() -> None:
    totals = Totals()
    for one in (
        row(30.0, 31.0),
        row(20.0, 19.0),
        row(25.0, 25.004),
        row(40.0, None),
        {"why": "broken"},
    ):
        totals.add(one)
    totals.add(
        {
            "target": None,
            **dict.fromkeys(("psnr_input", "psnr_output", "ssim_input", "ssim_output")),
        }
    )
    told = totals.told()
    assert [told[name] for name in ("images", "failed", "measured", "better", "worse")] == [
        5,
        1,
        4,
        2,
        1,
    ]
    assert told["mean"]["psnr_input"] == 25.0
    assert told["median"]["psnr_output"] == 25.004
    assert told["mean"]["ssim_output"] == 0.75
    assert (told["gain"]["best"], told["gain"]["worst"], told["gain"]["improved"]) == (
        1.0,
        -1.0,
        0.5,
    )


def test_nothing_measured_has_neither_means_nor_a_gain() -> None:
    told = Totals().told()
    assert (told["mean"]["psnr_input"], told["gain"]) == (None, None)


@pytest.mark.parametrize(
    "values", [[-0.4, 0.1, 0.9], [0.2], [-3.0, -2.9999], [1e-9, 50.0], [0.0, 0.0]]
)
def test_every_gain_is_in_its_bar_and_zero_is_an_edge(values: list[float]) -> None:
    from array import array

    found = histogram(array("d", values))
    counts, edges = found["counts"], found["edges"]
    assert len(edges) == len(counts) + 1
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert count == sum(low <= value < high for value in values)
    assert sum(counts) == len(values)
    if min(values) < 0 < max(values):
        assert 0 in edges
