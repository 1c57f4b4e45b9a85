"""The progress of a training, by its steps or by its time budget."""

import time
from collections.abc import Callable

from jobs.specs import ModelSpec


class Clock:
    """Measures how much of a training is done.

    `steps_per_epoch` steps are an epoch. `seconds` is the time spent before a resume. The time is
    that of the last `tick`, so that several processes can use the clock of one.
    """

    now: Callable[[], float] = staticmethod(time.monotonic)
    """Benchmarks on busy machines count the time of the processor."""

    def __init__(self, spec: ModelSpec, steps_per_epoch: int, seconds: float = 0.0) -> None:
        self.steps_per_epoch = steps_per_epoch
        self._budget = spec.minutes * 60 if spec.minutes else None
        self.total = spec.steps or (spec.epochs * steps_per_epoch if spec.epochs else None)
        """The steps of the whole run, None with a time budget."""
        self._spec = spec
        self._before, self._began = seconds, self.now()
        self.seconds = seconds

    def read(self) -> float:
        """The seconds spent on this run, before and after a resume."""
        return self._before + self.now() - self._began

    def tick(self, seconds: float | None = None) -> None:
        self.seconds = self.read() if seconds is None else seconds

    def over(self, step: int) -> bool:
        if self._budget is not None:
            return self.seconds >= self._budget
        return step >= (self.total or 0)

    def progress(self, step: int) -> float:
        """0 at the start, 1 at the end."""
        if self._budget is not None:
            return min(self.seconds / self._budget, 1.0)
        return step / self.total if self.total else 1.0

    def epoch(self, step: int) -> float:
        return step / self.steps_per_epoch

    def epochs(self, step: int) -> float:
        """The epochs of the whole run. With a time budget, an estimate from the pace so far."""
        return self.iterations(step) / self.steps_per_epoch

    def iterations(self, step: int) -> float:
        return float(self.total) if self.total else step / max(self.progress(step), 1e-9)

    def share(self) -> float | None:
        """The share of a time budget that has passed, 0 to 1; None without one."""
        return min(self.seconds / self._budget, 1.0) if self._budget else None

    def eta(self) -> float | None:
        """The remaining seconds of a time budget, None without one."""
        return max(self._budget - self.seconds, 0.0) if self._budget else None

    def every(self, interval: float) -> int:
        """The steps of an interval that is given in epochs; at least 1."""
        return max(1, round(interval * self.steps_per_epoch))
