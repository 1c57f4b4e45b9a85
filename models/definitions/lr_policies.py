"""Learning-rate policies, without torch: fractions of the base rate over the progress of a run.

Policies known from DIGITS use its formulas, which count in percent of the run
(digits/tools/caffe_train.py). Each policy takes `percent`, 0 to 100, and its settings.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

Policy = Callable[..., float]

POLICIES: dict[str, Policy] = {}


def policy(name: str) -> Callable[[Policy], Policy]:
    def register(function: Policy) -> Policy:
        POLICIES[name] = function
        return function

    return register


def rate(base: float, name: str, progress: float, settings: dict[str, Any]) -> float:
    """The learning rate of the policy `name` at a progress from 0 to 1."""
    return base * POLICIES[name](100 * progress, **settings)


@policy("fixed")
def fixed(percent: float) -> float:
    return 1.0


@policy("step")
def step(percent: float, size: float, gamma: float) -> float:
    return math.pow(gamma, percent // size)


@policy("multistep")
def multistep(percent: float, steps: Sequence[float], gamma: float) -> float:
    return math.pow(gamma, sum(step <= percent for step in steps))


@policy("exponential")
def exponential(percent: float, gamma: float, scale: float = 1.0) -> float:
    """gamma ^ (progress * scale). `scale`: how often gamma applies per run (see `decay_scale`)."""
    return math.pow(gamma, percent / 100 * scale)


@policy("inverse")
def inverse(percent: float, gamma: float, power: float) -> float:
    return math.pow(1 + gamma * percent, -power)


@policy("polynomial")
def polynomial(percent: float, power: float) -> float:
    return math.pow(max(1 - percent / 100, 0.0), power)


@policy("sigmoid")
def sigmoid(percent: float, step: float, gamma: float) -> float:
    return 1 / (1 + math.exp(min(gamma * (percent - step), 700.0)))


@policy("cosine")
def cosine(percent: float, warm_up: float, floor: float) -> float:
    """Linear warm-up to the base, then half a cosine down to `floor` percent of it."""
    if percent < warm_up:
        return percent / warm_up
    return _half_cosine(1.0, floor / 100, (percent - warm_up) / (100 - warm_up))


@policy("one-cycle")
def one_cycle(percent: float, warm_up: float) -> float:
    """Half a cosine from 1/25 of the base up to it, another down to 1/250,000.

    Equals torch's OneCycleLR.
    """
    if percent < warm_up:
        return _half_cosine(1 / 25, 1.0, percent / warm_up)
    return _half_cosine(1.0, 1 / 250_000, (percent - warm_up) / (100 - warm_up))


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2


def decay_scale(per: str, epochs: float, iterations: float) -> float:
    """The `scale` of "run" (1), "percent" (100, DIGITS), "epoch" or "iteration" (Caffe)."""
    return {"run": 1.0, "percent": 100.0, "epoch": float(epochs), "iteration": float(iterations)}[
        per
    ]
