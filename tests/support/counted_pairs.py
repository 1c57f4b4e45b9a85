"""Pairs of a training that note each read, also in the processes that read them."""

import os
from pathlib import Path

from torch import Tensor

from jobs.core.launcher import JOB
from jobs.datasets.pair_sets import PairSet


class CountedPairs(PairSet):
    """Appends the split and the number of a pair to `reads-RANK` in the folder of the job."""

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        store, _ = self._locations[number]
        name = f"reads-{os.environ.get('RANK', '0')}"
        with (Path(os.environ[JOB]) / name).open("a") as reads:
            reads.write(f"{store.name} {number}\n")
        return super().__getitem__(number)
