"""The rows of a test of many images in its log, with the totals, curves and means over them."""

import math
import time

from jobs.core.report import Report
from jobs.core.totals import Fluctuation, Totals
from jobs.core.types.samples import ResultRow
from jobs.datasets.pair_sets import Stream
from jobs.datasets.rates import Rates
from jobs.inference.filters import Baselines

RESULTS_INTERVAL = 0.25
FACTS_INTERVAL = 2.0
"""Seconds between two `results` events, and between two `facts` events."""


class ResultLog:
    """Logs rows and totals: the first ones immediately, the next ones at intervals."""

    def __init__(
        self,
        report: Report,
        rates: Rates | None,
        streams: list[Stream | None],
        baselines: Baselines | None,
    ) -> None:
        """`streams`: the stream of each row, by its index; empty for a test of images."""
        self._log, self.totals = report.log, Totals()
        self._rates, self._streams, self._baselines = rates, streams, baselines
        self._fluctuation = Fluctuation()
        self._rows: list[ResultRow] = []
        self._rows_logged = self._facts_logged = -math.inf

    def count(self, row: ResultRow) -> None:
        """Add a row to the totals alone: it is in the log."""
        self.totals.add(row)
        if self._rates is not None:
            self._rates.add(row["index"], row.get("psnr_y_input"), row.get("psnr_y_output"))
        if self._streams and (stream := self._streams[row["index"]]):
            self._fluctuation.add(stream, row.get("psnr_input"), row.get("psnr_output"))
        if self._baselines is not None:
            self._baselines.count(row)

    def add(self, row: ResultRow) -> None:
        self._rows.append(row)
        self.count(row)
        now = time.monotonic()
        if now - self._rows_logged >= RESULTS_INTERVAL:
            self._log_rows(now)
        if now - self._facts_logged >= FACTS_INTERVAL:
            self._log_facts(now)

    def end(self) -> None:
        """Log the remaining rows and the totals."""
        now = time.monotonic()
        self._log_rows(now)
        self._log_facts(now)

    def log_streams(self) -> None:
        """Log what is of whole streams: the rate-distortion curves and the fluctuation."""
        if fluctuation := self._fluctuation.mean():
            self._log.append("facts", fluctuation=fluctuation)
        if self._rates is not None and (curves := self._rates.curves()):
            self._log.append("facts", rates=curves)

    def _log_rows(self, now: float) -> None:
        if self._rows:
            self._log.append("results", rows=self._rows)
        self._rows, self._rows_logged = [], now

    def _log_facts(self, now: float) -> None:
        self._log.append("facts", **self.totals.facts())
        if self._baselines is not None:
            self._log.append("facts", filters=self._baselines.facts())
        self._facts_logged = now
