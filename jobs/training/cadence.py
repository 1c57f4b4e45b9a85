"""When a training validates and writes snapshots."""

from dataclasses import dataclass

from jobs.specs import ModelSpec
from jobs.training.clock import Clock

SHARE = 0.1
"""Without an interval in the spec, validations and snapshots take at most this share of the run."""
FREE_SECONDS = 5.0
"""Time for validations and snapshots that every run may spend: short runs have all their epochs."""

FIRST_SECONDS, SECONDS, GROWTH = 5.0, 10.0, 0.1
"""Of a run with a time budget: the first validation after 5 s, the second at 10 s, then one every
10 s, and after 100 s at intervals of a tenth of the time so far."""


WEIGHTS_SHARE, WEIGHTS_GROWTH = 0.01, 1.15
"""Histograms of the weights take at most this share of the run, and each follows at this many
times the step of the one before: about a hundred in a run of a million steps."""


class Cadence:
    """Decides at each step whether to validate and to write a snapshot.

    An interval of the spec is kept. Without one, a run of epochs or steps validates after each
    epoch, and a run with a time budget by the clock, both within SHARE of the time. A snapshot
    follows each of these validations. All times are those of the clock, which all ranks share.
    """

    def __init__(self, spec: ModelSpec, clock: Clock, spent: float) -> None:
        self._clock, self._by_time = clock, spec.minutes is not None
        self._validate_every = _steps(clock, spec.validation_interval)
        self._snapshot_every = _steps(clock, spec.snapshot_interval)
        self._epoch = clock.every(1)
        self.spent = spent
        """Seconds that validations and snapshots have taken, before and after a resume."""
        self._last_step, self._last_seconds = -1, 0.0
        self._last_at = clock.seconds
        self._is_first = not clock.seconds
        """Whether the network has not been validated since its start, when it is the identity."""

    def should_validate(self, step: int) -> bool:
        if self._validate_every is not None:
            return step % self._validate_every == 0
        if step == 0:
            return True
        if not self._by_time:
            return step % self._epoch == 0 and self._is_affordable()
        is_due = self._clock.seconds - self._last_at >= self._pause()
        return is_due and (self._is_first or self._is_affordable())

    def should_keep(self, step: int, validated: bool) -> bool:
        """Whether to write a snapshot at a step, which was validated or not."""
        if self._snapshot_every is not None:
            return step % self._snapshot_every == 0
        if self._validate_every is None:
            return validated
        return step % self._epoch == 0

    def add(self, began: float, step: int) -> None:
        """Count a validation or a snapshot of a step that began at this second of the clock."""
        self._is_first = step == 0
        seconds = self._clock.seconds - began
        if step == self._last_step:  # The snapshot after a validation.
            self._last_seconds += seconds
        else:
            self._last_step, self._last_seconds, self._last_at = step, seconds, began
        self.spent += seconds

    def _pause(self) -> float:
        """Seconds between two validations of a run with a time budget."""
        last = self._last_at
        return max(min(max(last, FIRST_SECONDS), SECONDS), GROWTH * last)

    def _is_affordable(self) -> bool:
        after = self.spent + self._last_seconds
        return after <= FREE_SECONDS or after <= SHARE * self._clock.seconds


def _steps(clock: Clock, epochs: float | None) -> int | None:
    return None if epochs is None else clock.every(epochs)


@dataclass(frozen=True)
class WeightsShown:
    """The last histograms of the weights: their step, and in seconds their time and cost."""

    step: int = 0
    at: float = 0.0
    cost: float = 0.0

    def is_due(self, step: int, now: float) -> bool:
        """Whether new ones are due at a step, `now` seconds after the start of the run."""
        return step >= WEIGHTS_GROWTH * self.step and now - self.at >= self.cost / WEIGHTS_SHARE
