"""The report of a running worker: its events, its progress, and requests to stop it."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from jobs.core.errors import Aborted
from jobs.core.events import Log
from jobs.core.types.fields import Level
from jobs.core.types.load import Progress

PROGRESS_INTERVAL = 0.25
"""Seconds."""
LEAST_UNITS, LEAST_SECONDS = 20, 5.0
"""An estimate of the remaining time needs as many units of work, or as many seconds."""


class Report:
    """The worker's interface to its event log."""

    def __init__(self, log: Log, resume_from: str = "") -> None:
        self.log = log
        self.resume_from = resume_from
        """The snapshot from which a training resumes; empty for the last snapshot."""
        self.timed_out = False
        self._stop = False
        self._started = time.monotonic()
        self._done_at_start = 0
        self._last_progress = 0.0
        self._progress: Progress = {
            "done": 0,
            "total": None,
            "unit": "steps",
            "rate": 0.0,
            "eta": None,
        }
        self._phase = ""
        self._phase_seconds: dict[str, float] = {}
        """How long each phase took the last time."""

    def stop_on(self, number: signal.Signals) -> None:
        """End the job at its next `check` after this signal, between two units of work."""
        signal.signal(number, self._request_stop)

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def stop_after(self, seconds: float) -> None:
        """End the job at its next `check` after this time; 0 removes the time limit."""
        signal.signal(signal.SIGALRM, self._stop_for_time)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _stop_for_time(self, number: int, frame: FrameType | None) -> None:
        self._stop = self.timed_out = True

    @property
    def stopping(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stop

    def check(self) -> None:
        """Raise Aborted if the job was asked to stop."""
        if self._stop:
            raise Aborted

    def go_on(self) -> bool:
        """Return True. Raises Aborted if the job was asked to stop."""
        self.check()
        return True

    def begin(self, done: int) -> None:
        """Start to measure the rate. A resumed job had finished `done` units before."""
        self._started, self._done_at_start, self._last_progress = time.monotonic(), done, 0.0

    def progress(
        self,
        done: int,
        total: int | None,
        unit: str,
        eta: float | None = None,
        pairs: dict[str, int] | None = None,
        share: float | None = None,
    ) -> None:
        """Log the progress, at most four times a second and always at the end.

        `eta` is in seconds, estimated from the rate if None; `pairs` are counts per split; `share`
        is the share that is done, if not `done` of `total`.
        """
        now = time.monotonic()
        if now - self._last_progress < PROGRESS_INTERVAL and done != total:
            return
        self._last_progress = now
        rate = max(done - self._done_at_start, 0) / max(now - self._started, 1e-9)
        # The first units take many times as long as later ones: an estimate would mean nothing.
        is_known = (
            done - self._done_at_start >= LEAST_UNITS
            or now - self._started > LEAST_SECONDS
            or done == total
        )
        if eta is None and total is not None and rate > 0 and is_known:
            eta = (total - done) / rate
        self._progress = {"done": done, "total": total, "unit": unit, "rate": rate, "eta": eta}
        if pairs is not None:
            self._progress["pairs"] = pairs
        if share is not None:
            self._progress["share"] = share
        self._log_progress()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Name what a training does for a while. Short phases are not logged, except the first."""
        outer, self._phase = self._phase, name
        began = time.monotonic()
        if self._phase_seconds.get(name, PROGRESS_INTERVAL) >= PROGRESS_INTERVAL:
            self._log_progress()
        yield
        self._phase = outer
        self._phase_seconds[name] = time.monotonic() - began
        if self._phase_seconds[name] >= PROGRESS_INTERVAL:
            self._log_progress()

    def _log_progress(self) -> None:
        fields = self._progress.copy()
        if self._phase:
            fields["phase"] = self._phase
        self.log.append("progress", **fields)

    def scalars(self, step: int, epoch: float, values: dict[str, float]) -> None:
        scalars = {key: finite(value) for key, value in values.items()}
        self.log.append("scalars", step=step, epoch=epoch, scalars=scalars)

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
        """Log a file or frame that was left out of a dataset."""
        self.log.append("skipped", name=name, why=why)

    def message(self, text: str, level: Level = "info") -> None:
        self.log.append("message", level=level, text=text)


def finite(value: float) -> float | None:
    """The value, or None for infinity and NaN, which JSON lacks: PSNR of equal images is null."""
    return value if math.isfinite(value) else None
