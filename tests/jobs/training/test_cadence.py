"""Tests of when a training validates: by its spec, its epochs or the clock, within its share."""

from typing import Any

import pytest

from jobs.specs import ModelSpec
from jobs.training.cadence import SHARE, Cadence, WeightsShown
from jobs.training.clock import Clock

STEPS_AN_EPOCH = 10


def validated_steps(
    seconds_a_step: float, cost: float, spent: float = 0.0, saving: float = 0.0, **length: Any
) -> list[tuple[int, float]]:
    """The step and the second of each validation of a run with such steps and validations."""
    spec = ModelSpec(name="m", dataset="00000000", **length)
    clock = Clock(spec, STEPS_AN_EPOCH)
    clock.tick(0.0)
    cadence, seconds, step, validations = Cadence(spec, clock, spent), 0.0, 0, []
    while not clock.over(step):
        if cadence.should_validate(step):
            validations.append((step, seconds))
            seconds += cost
            clock.tick(seconds)
            cadence.add(seconds - cost, step)
            if saving:
                seconds += saving
                clock.tick(seconds)
                cadence.add(seconds - saving, step)
        step, seconds = step + 1, seconds + seconds_a_step
        clock.tick(seconds)
    return validations


def test_the_clock_counts_the_time_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((100.0, 130.0, 165.0))  # Of the start, and of two steps.
    monkeypatch.setattr(Clock, "now", staticmethod(lambda: next(times)))
    clock = Clock(ModelSpec(name="m", dataset="00000000", minutes=1), STEPS_AN_EPOCH)
    clock.tick()
    assert (clock.progress(1), clock.over(1)) == (0.5, False)
    clock.tick()
    assert clock.over(2)


def test_an_interval_of_the_spec_is_kept_whatever_it_costs() -> None:
    validations = validated_steps(0.01, 5.0, epochs=4, validation_interval=0.5)
    assert [step for step, _ in validations] == [0, 5, 10, 15, 20, 25, 30, 35]


def test_short_runs_validate_after_each_epoch() -> None:
    assert [step for step, _ in validated_steps(0.1, 0.2, epochs=5)] == [0, 10, 20, 30, 40]


def test_slow_validations_take_at_most_their_share_of_a_long_run() -> None:
    validations = validated_steps(0.3, 2.0, epochs=100)
    assert 2.0 * len(validations) <= SHARE * (validations[-1][1] + 2.0)
    assert len(validations) > 10
    assert {step % STEPS_AN_EPOCH for step, _ in validations} == {0}


def test_validations_with_their_snapshots_take_at_most_their_share() -> None:
    validations = validated_steps(0.3, 2.0, saving=0.2, epochs=100)
    for number, (_, second) in enumerate(validations[3:], 4):
        assert 2.2 * number <= SHARE * (second + 2.2)


def test_a_run_with_a_time_budget_validates_soon_then_every_ten_seconds_then_less_often() -> None:
    seconds = [second for _, second in validated_steps(0.1, 0.01, minutes=30)]
    assert [round(second) for second in seconds[:5]] == [0, 5, 10, 20, 30]
    assert 100 < seconds[-1] - seconds[-2] < 200
    assert len(seconds) < 60


def test_the_first_result_of_a_time_budget_comes_whatever_it_costs() -> None:
    seconds = [second for _, second in validated_steps(0.1, 4.0, minutes=1)]
    assert [round(second) for second in seconds[:2]] == [0, 5]


def test_the_time_of_validations_before_a_resume_counts() -> None:
    assert len(validated_steps(0.1, 1.0, spent=60.0, epochs=20)) == 1


def test_histograms_of_weights_take_a_hundredth_of_the_time_and_get_rarer() -> None:
    shown, times = WeightsShown(), 0
    for step in range(1, 100_001):
        now = step * 0.01
        if shown.is_due(step, now):
            shown, times = WeightsShown(step, now, 0.02), times + 1
    assert 30 < times < 60
    assert times * 0.02 <= 0.01 * now
    assert not WeightsShown(100, 50.0, 0.1).is_due(1000, 59.0)
    assert WeightsShown(100, 50.0, 0.1).is_due(1000, 60.5)
