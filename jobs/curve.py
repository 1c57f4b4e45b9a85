"""The points of the training curve: each the mean of some steps, read from the device once."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from jobs.errors import JobError
from jobs.ranks import Ranks

POINTS_AN_EPOCH = 16
MOST_STEPS_A_POINT = 100
"""Reading a loss makes a GPU wait, so that not each step is a point."""

EXPLODED = 100
"""A mean loss so many times the lowest one so far has lost all that was learned."""


class Curve:
    """Losses and times since the last point. Which steps end a point depends on the spec alone, so that a resumed
    run has the points of one that was never stopped."""

    def __init__(self, steps_an_epoch: int, ranks: Ranks, losses: list[float], lowest: float) -> None:
        self._steps = max(1, min(MOST_STEPS_A_POINT, steps_an_epoch // POINTS_AN_EPOCH))
        self._ranks = ranks
        self._read, self._fresh = list(losses), list[Tensor]()
        self.lowest = lowest
        self._rate = 0.0
        self._points, self._all_patches, self._all_seconds = 0, 0, 0.0
        self._start()

    def _start(self) -> None:
        self._since, self._patches, self._waited = time.monotonic(), 0, 0.0

    def patches_per_second(self) -> float:
        """Over all points, without the first one, in which a device warms up."""
        return self._all_patches / max(self._all_seconds, 1e-9)

    def add(self, loss: Tensor, patches: int, waited: float) -> None:
        """A step's loss, still on the device, its patches, and the seconds that it waited for them."""
        self._fresh.append(loss)
        self._patches += patches
        self._waited += waited

    def is_due(self, step: int) -> bool:
        return step % self._steps == 0

    def losses(self) -> list[float]:
        """Of the steps since the last point, over all ranks; here the device is waited for."""
        if self._fresh:
            self._read += (self._ranks.sum(torch.stack(self._fresh)) / self._ranks.size).tolist()
            self._fresh = []
        return self._read

    def point(self, step: int, rate: float, side: int) -> dict[str, float]:
        """The mean loss since the last point, and the speed. Raises JobError where the loss is none any more."""
        self._rate = rate
        self.check(step)
        losses, self._read = self.losses(), []
        loss = sum(losses) / len(losses)
        self.lowest = min(self.lowest, loss)
        seconds = max(time.monotonic() - self._since, 1e-9)
        if self._points:
            self._all_patches, self._all_seconds = self._all_patches + self._patches, self._all_seconds + seconds
        self._points += 1
        speed = self._patches / seconds
        told = {"images_per_second": speed, "pixels_per_second": speed * side**2, "data_wait": self._waited / seconds}
        self._start()
        return {"loss": loss, **told}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What comes between two steps, such as a validation, is no training time."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began

    def check(self, step: int) -> None:
        """Raises JobError where losses since the last point, up to this step, are no numbers, or far above all before."""
        losses = self.losses()
        for number, loss in enumerate(losses, step - len(losses) + 1):
            bad = None if math.isfinite(loss) else "is no number any more"
            if loss > EXPLODED * self.lowest:
                bad = f"has grown to {loss:.3g}, from {self.lowest:.3g}"
            if bad:
                raise JobError(
                    f"The loss {bad} at step {number}, with a learning rate of {self._rate:.3g}. "
                    "Train again with a lower base learning rate; the last snapshot is from before."
                )
