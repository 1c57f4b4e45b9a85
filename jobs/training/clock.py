"""How far a training is: by its steps, or by the time that it was given."""

import time

from jobs.specs import ModelSpec


class Clock:
    """`steps_an_epoch` steps make an epoch; `seconds` were spent before a resume.

    The time is that of the last `tick`, so that several processes can go by the clock of one.
    """

    def __init__(self, spec: ModelSpec, steps_an_epoch: int, seconds: float = 0.0) -> None:
        self.steps_an_epoch = steps_an_epoch
        self._budget = spec.minutes * 60 if spec.minutes else None
        self.total = spec.steps or (spec.epochs * steps_an_epoch if spec.epochs else None)
        """Steps of the whole run, None where only time will tell."""
        self._spec = spec
        self._before, self._began = seconds, time.monotonic()
        self.seconds = seconds

    def read(self) -> float:
        """Seconds spent on this run, before and after a resume."""
        return self._before + time.monotonic() - self._began

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
        return step / self.steps_an_epoch

    def epochs(self, step: int) -> float:
        """Of the whole run; with a time budget, as many as there would be at the pace so far."""
        return self.iterations(step) / self.steps_an_epoch

    def iterations(self, step: int) -> float:
        return float(self.total) if self.total else step / max(self.progress(step), 1e-9)

    def eta(self) -> float | None:
        """Seconds left; None where the pace of the steps says it."""
        return max(self._budget - self.seconds, 0.0) if self._budget else None

    def every(self, interval: float) -> int:
        """Steps from one to the next of what happens each `interval` epochs."""
        return max(1, round(interval * self.steps_an_epoch))
