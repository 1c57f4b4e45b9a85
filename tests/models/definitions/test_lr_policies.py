"""Tests of learning-rate policies against the closed formulas of DIGITS and torch's schedulers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from models.definitions.lr_policies import POLICIES, decay_scale, rate

PERCENTS = (0, 1, 33, 50, 85, 100)

CLOSED: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "fixed": ({}, lambda p: 1.0),
    "step": ({"size": 33, "gamma": 0.1}, lambda p: 0.1 ** (p // 33)),
    "multistep": (
        {"steps": [50, 85], "gamma": 0.5},
        lambda p: {True: 0.25, False: 0.5 if p >= 50 else 1.0}[p >= 85],
    ),
    "exponential": ({"gamma": 0.95, "scale": 100}, lambda p: 0.95**p),
    "inverse": ({"gamma": 0.1, "power": 0.5}, lambda p: (1 + 0.1 * p) ** -0.5),
    "polynomial": ({"power": 3}, lambda p: (1 - p / 100) ** 3),
    "sigmoid": ({"step": 50, "gamma": 0.1}, lambda p: 1 / (1 + math.exp(0.1 * (p - 50)))),
    "cosine": ({"warm_up": 0, "floor": 0}, lambda p: (1 + math.cos(math.pi * p / 100)) / 2),
}


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.parametrize("name", list(CLOSED))
def test_rate_equals_closed_formula(name: str, percent: int) -> None:
    settings, formula = CLOSED[name]
    assert rate(0.01, name, percent / 100, settings) == pytest.approx(
        0.01 * formula(percent), rel=1e-9, abs=1e-15
    )


def test_every_policy_has_a_closed_formula() -> None:
    assert set(POLICIES) == {*CLOSED, "one-cycle"}


def test_one_cycle_equals_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=101, pct_start=0.3, final_div_factor=1e4
    )
    for step in range(101):
        # Torch's rate peaks a step before 30 % of 101 steps.
        ours = rate(0.1, "one-cycle", step / 100, {"warm_up": 29.3})
        assert ours == pytest.approx(scheduler.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        if step < 100:
            scheduler.step()


def test_warm_up_rises_to_base_and_rate_ends_at_floor() -> None:
    settings = {"warm_up": 5, "floor": 10}
    assert [rate(1.0, "cosine", at, settings) for at in (0, 0.025, 0.05, 1)] == pytest.approx(
        [0, 0.5, 1, 0.1]
    )


@pytest.mark.parametrize(
    ("progress", "expected"), [(0, 1e-3), (0.5, 1e-3 * 0.098**0.5), (1, 9.8e-5)]
)
def test_rate_decays_by_gamma_over_the_run(progress: float, expected: float) -> None:
    assert rate(1e-3, "exponential", progress, {"gamma": 0.098}) == pytest.approx(expected)


def test_decay_per_percent_vanishes_after_six_percent() -> None:
    assert (
        rate(1.0, "exponential", 0.06, {"gamma": 0.098, "scale": decay_scale("percent", 30, 1000)})
        < 1e-6
    )


def test_decay_per_epoch_and_iteration() -> None:
    assert rate(
        1.0, "exponential", 0.5, {"gamma": 0.5, "scale": decay_scale("epoch", 4, 400)}
    ) == pytest.approx(0.25)
    assert rate(
        1.0, "exponential", 1.0, {"gamma": 0.99, "scale": decay_scale("iteration", 4, 400)}
    ) == pytest.approx(0.99**400)
