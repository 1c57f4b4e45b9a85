"""What a page shows of a dataset while it is made: PSNRs so far, and some of its pairs."""

import math
from array import array

import numpy as np

from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.datasets.pairing import Record
from jobs.datasets.summary import psnr_histogram, write_sample
from jobs.media.encodings import decode


class SoFar:
    """Logs a pair and the histogram each time the number of pairs has doubled.

    So a dataset of a million pairs has twenty of these events.
    """

    def __init__(self, folder: JobFolder, report: Report) -> None:
        self._folder, self._report = folder, report
        self._psnrs = array("d")
        self._next = 1

    def add(self, split: str, first: int, records: list[Record]) -> None:
        """Add the pairs of a split from number `first` on, which were made last."""
        for number, record in enumerate(records, first):
            psnr = record.meta["psnr_input"]
            self._psnrs.append(math.inf if psnr is None else psnr)
            if len(self._psnrs) == self._next:
                self._next *= 2
                self._write_sample(split, number, record)
                finite = np.array(self._psnrs)[np.isfinite(self._psnrs)]
                self._report.log.append("facts", psnr_histogram=psnr_histogram(finite))

    def _write_sample(self, split: str, number: int, record: Record) -> None:
        meta = record.meta
        shape = (meta["height"], meta["width"], meta["channels"])
        pictures = (
            decode(value, meta[f"{role}_encoding"], shape)
            for role, value in (("input", record.input), ("target", record.target))
        )
        write_sample(self._folder, self._report, split, number, meta, *pictures)
