"""The points of the training curve: means over some steps, read from the device once per point."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.training.ranks import Ranks

POINTS_PER_EPOCH = 16
POINTS_PER_RUN = 2000
"""Most points of a run with few steps in each epoch, until MAX_STEPS_PER_POINT is reached."""
MAX_STEPS_PER_POINT = 100
"""A point is the mean of several steps, because reading a loss makes a GPU wait."""

EXPLOSION_FACTOR = 100
"""A run ends if the loss, averaged over SMOOTHING_STEPS, is this many times its lowest value."""
SMOOTHING_STEPS = 16
MIN_FIRST_LOSS, MIN_LOWEST_LOSS = 0.01, 1e-6
"""Lower limits of the first loss and of the lowest loss.

The run may have seen only patches of a single colour so far.
"""


@dataclass
class Losses:
    """The losses so far, as a resumed run needs them: since the last point, and their average."""

    since_point: list[float] = field(default_factory=list)
    seen: int = 0
    average: float = 0.0
    lowest: float = math.inf

    def add(self, loss: float, step: int, rate: float) -> None:
        """Add the loss of a step. Raises JobError for a loss that is not finite or has exploded."""
        self.seen += 1
        self.average += (loss - self.average) / min(self.seen, SMOOTHING_STEPS)
        if self.seen == 1:
            self.lowest = max(loss, MIN_FIRST_LOSS)
        problem = None if math.isfinite(loss) else "is not finite"
        if self.average > EXPLOSION_FACTOR * max(self.lowest, MIN_LOWEST_LOSS):
            problem = f"has grown to {self.average:.3g}, from {self.lowest:.3g}"
        if problem:
            raise JobError(
                f"The loss {problem} at step {step}, with a learning rate of {rate:.3g}. "
                "Train again with a lower base learning rate. "
                "Snapshots from before that are kept."
            )
        if self.seen >= SMOOTHING_STEPS:
            self.lowest = min(self.lowest, self.average)
        self.since_point.append(loss)


class Curve:
    """Losses and times since the last point.

    The steps that end a point depend on the spec alone, so that a resumed run has the same points
    as an uninterrupted run.
    """

    def __init__(
        self, steps_per_epoch: int, steps: int | None, ranks: Ranks, losses: Losses
    ) -> None:
        """`steps`: of the whole run, None if unknown."""
        wanted = max(steps_per_epoch // POINTS_PER_EPOCH, (steps or 0) // POINTS_PER_RUN)
        self._steps = max(1, min(MAX_STEPS_PER_POINT, wanted))
        self._ranks, self.losses = ranks, losses
        self._unread: list[Tensor] = []
        self._rates: list[float] = []
        self._points, self._all_patches, self._all_seconds = 0, 0, 0.0
        self._start()

    def _start(self) -> None:
        self._since, self._patches, self._waited = time.monotonic(), 0, 0.0

    def patches_per_second(self) -> float:
        """The speed over all points but the first, in which the device warms up."""
        return self._all_patches / max(self._all_seconds, 1e-9)

    def add(self, loss: Tensor, rate: float, patches: int, waited: float) -> None:
        """Add a step.

        `loss` is still on the device. `waited` are the seconds that the step waited for its data.
        """
        self._unread.append(loss)
        self._rates.append(rate)
        self._patches += patches
        self._waited += waited

    def is_due(self, step: int) -> bool:
        return step % self._steps == 0

    def read(self, step: int) -> None:
        """Read the losses up to this step from the device, as means over all ranks.

        Waits for the device and for the other ranks. Raises JobError.
        """
        if not self._unread:
            return
        losses = (self._ranks.sum(torch.stack(self._unread)) / self._ranks.size).tolist()
        first, rates = step - len(losses) + 1, self._rates
        self._unread, self._rates = [], []
        for number, (loss, rate) in enumerate(zip(losses, rates, strict=True), first):
            self.losses.add(loss, number, rate)

    def point(self, step: int, side: int) -> dict[str, float]:
        """The mean loss since the last point, and the speed for patches of `side` x `side`.

        Raises JobError for a loss that is not finite or has exploded.
        """
        self.read(step)
        losses, self.losses.since_point = self.losses.since_point, []
        seconds = max(time.monotonic() - self._since, 1e-9)
        if self._points:
            self._all_patches, self._all_seconds = (
                self._all_patches + self._patches,
                self._all_seconds + seconds,
            )
        self._points += 1
        images_per_second = self._patches / seconds
        speed = {
            "images_per_second": images_per_second,
            "pixels_per_second": images_per_second * side**2,
            "data_wait": self._waited / seconds,
        }
        self._start()
        return {"loss": sum(losses) / len(losses), **speed}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time of the block, such as a validation, from the training time."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began
