"""What a worker tells the world while it works: events, a steady progress, and whether to go on."""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from jobs.core.errors import Aborted
from jobs.core.events import Event, EventLog, NoLog

PROGRESS_INTERVAL = 0.25


class Report:
    """The worker's side of its event log."""

    def __init__(self, log: EventLog | NoLog, resume_from: str = "") -> None:
        self.log = log
        self.resume_from = resume_from
        """The snapshot that somebody wants a training to go on from; the last one where nothing is said."""
        self.listeners: list[Callable[[Event], object]] = []
        """Hear what `tell` writes, once it stands in the log."""
        self.took_too_long = False
        self._stop = False
        self._started = time.monotonic()
        self._begun_at = 0
        self._told = 0.0

    def stop_on(self, number: signal.Signals) -> None:
        """Let a signal end the job at its next `check`, with nothing half done."""
        signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def stop_after(self, seconds: float) -> None:
        """Let the job end at its next `check` after that time; 0 takes that back."""
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        self._stop = self.took_too_long = True

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked the job to stop."""
        return self._stop

    def check(self) -> None:
        """Raises Aborted where somebody has asked the job to stop."""
        if self._stop:
            raise Aborted

    def begin(self, done: int) -> None:
        """Rate and time left are counted from here; `done` was there before (a resumed job)."""
        self._started, self._begun_at, self._told = time.monotonic(), done, 0.0

    def progress(
        self,
        done: int,
        total: int | None,
        unit: str,
        eta: float | None = None,
        pairs: dict[str, int] | None = None,
    ) -> None:
        """Tell how far the work is, at most four times a second and always at its end; `pairs` are those of each split."""
        now = time.monotonic()
        if now - self._told < PROGRESS_INTERVAL and done != total:
            return
        self._told = now
        rate = max(done - self._begun_at, 0) / max(now - self._started, 1e-9)
        # Of the first seconds nothing can be told: a first step takes many times as long as the next.
        if (
            eta is None
            and total is not None
            and rate > 0
            and (now - self._started > 2 or done == total)
        ):
            eta = (total - done) / rate
        more = {} if pairs is None else {"pairs": pairs}
        self.log.append("progress", done=done, total=total, unit=unit, rate=rate, eta=eta, **more)

    def tell(self, type: str, **fields: Any) -> None:
        """Write an event that is shown elsewhere, too: a point of a curve, a sample of a training."""
        event = self.log.append(type, **fields)
        for listener in self.listeners:
            listener(event)

    def scalars(self, step: int, epoch: float, values: dict[str, float]) -> None:
        self.tell(
            "scalars",
            step=step,
            epoch=epoch,
            scalars={key: finite(value) for key, value in values.items()},
        )

    def snapshot(
        self,
        name: str,
        step: int,
        epoch: float,
        size: int,
        scores: dict[str, float],
        removed: list[str],
    ) -> None:
        scalars = {key: finite(value) for key, value in scores.items()}
        self.log.append(
            "snapshot",
            name=name,
            epoch=epoch,
            step=step,
            size=size,
            scalars=scalars,
            removed=removed,
        )

    def skip(self, name: str, why: str) -> None:
        """Tell of something that was left out, for the list of what is not in a dataset."""
        self.log.append("skipped", name=name, why=why)

    def message(self, text: str, level: str = "info") -> None:
        self.log.append("message", level=level, text=text)


def finite(value: float) -> float | None:
    """JSON has no infinity: the PSNR of equal images is null."""
    return value if math.isfinite(value) else None
