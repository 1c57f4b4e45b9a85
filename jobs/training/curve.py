"""The points of the training curve: each the mean of some steps, read from the device once."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.training.ranks import Ranks

POINTS_AN_EPOCH = 16
MOST_STEPS_A_POINT = 100
"""Reading a loss makes a GPU wait, so that not each step is a point."""

EXPLODED = 100
"""A loss, averaged over SMOOTHED steps, that is so many times its lowest has lost all that was learned."""
SMOOTHED = 16
FIRST, SMALLEST = 0.01, 1e-6
"""The first loss, and the lowest, count as no less: patches of one colour may be all that was seen."""


@dataclass
class Losses:
    """What a resumed run must know of the losses so far: those since the last point, and their moving average."""

    since_point: list[float] = field(default_factory=list)
    seen: int = 0
    average: float = 0.0
    lowest: float = math.inf

    def add(self, loss: float, step: int, rate: float) -> None:
        """Raises JobError for one that is no number, or when they have grown far above all before."""
        self.seen += 1
        self.average += (loss - self.average) / min(self.seen, SMOOTHED)
        if self.seen == 1:
            self.lowest = max(loss, FIRST)
        bad = None if math.isfinite(loss) else "is no number any more"
        if self.average > EXPLODED * max(self.lowest, SMALLEST):
            bad = f"has grown to {self.average:.3g}, from {self.lowest:.3g}"
        if bad:
            raise JobError(
                f"The loss {bad} at step {step}, with a learning rate of {rate:.3g}. "
                "Train again with a lower base learning rate; the last snapshot is from before."
            )
        if self.seen >= SMOOTHED:
            self.lowest = min(self.lowest, self.average)
        self.since_point.append(loss)


class Curve:
    """Losses and times since the last point. Which steps end a point depends on the spec alone, so that a resumed
    run has the points of one that was never stopped."""

    def __init__(self, steps_an_epoch: int, ranks: Ranks, losses: Losses) -> None:
        self._steps = max(1, min(MOST_STEPS_A_POINT, steps_an_epoch // POINTS_AN_EPOCH))
        self._ranks, self.losses = ranks, losses
        self._fresh: list[Tensor] = []
        self._rates: list[float] = []
        self._points, self._all_patches, self._all_seconds = 0, 0, 0.0
        self._start()

    def _start(self) -> None:
        self._since, self._patches, self._waited = time.monotonic(), 0, 0.0

    def patches_per_second(self) -> float:
        """Over all points, without the first one, in which a device warms up."""
        return self._all_patches / max(self._all_seconds, 1e-9)

    def add(self, loss: Tensor, rate: float, patches: int, waited: float) -> None:
        """A step's loss, still on the device, its rate and patches, and the seconds that it waited for them."""
        self._fresh.append(loss)
        self._rates.append(rate)
        self._patches += patches
        self._waited += waited

    def is_due(self, step: int) -> bool:
        return step % self._steps == 0

    def read(self, step: int) -> None:
        """Take in the losses up to this step, over all ranks, which meet here; the device is waited for. Raises JobError."""
        if not self._fresh:
            return
        losses = (self._ranks.sum(torch.stack(self._fresh)) / self._ranks.size).tolist()
        first, rates = step - len(losses) + 1, self._rates
        self._fresh, self._rates = [], []
        for number, (loss, rate) in enumerate(zip(losses, rates, strict=True), first):
            self.losses.add(loss, number, rate)

    def point(self, step: int, side: int) -> dict[str, float]:
        """The mean loss since the last point, and the speed. Raises JobError where the loss is none any more."""
        self.read(step)
        losses, self.losses.since_point = self.losses.since_point, []
        seconds = max(time.monotonic() - self._since, 1e-9)
        if self._points:
            self._all_patches, self._all_seconds = (
                self._all_patches + self._patches,
                self._all_seconds + seconds,
            )
        self._points += 1
        speed = self._patches / seconds
        told = {
            "images_per_second": speed,
            "pixels_per_second": speed * side**2,
            "data_wait": self._waited / seconds,
        }
        self._start()
        return {"loss": sum(losses) / len(losses), **told}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What comes between two steps, such as a validation, is no training time."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began
