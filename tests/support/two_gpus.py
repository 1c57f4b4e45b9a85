"""A worker that believes that its spec names two GPUs, and starts the second rank.

With a second argument, the pictures stay on disk, and each read of a pair is noted.
"""

import sys
from types import SimpleNamespace
from typing import Any

from jobs import run
from jobs.core import processes
from jobs.core.processes import Process
from jobs.training import placement, ranks, train
from tests.support.counted_pairs import CountedPairs


def main(path: str, *disk: str) -> int:
    def start(module: str, arguments: list[str], *others: Any, **options: Any) -> Process:
        return processes.start("tests.support.two_gpus", [*arguments, *disk], *others, **options)

    vars(ranks).update(gpus=lambda device: [0, 1], check_gpu=lambda index: None)
    if disk:
        vars(ranks).update(processes=SimpleNamespace(start=start))
        vars(placement).update(nearest=lambda *arguments: "disk")
        vars(train).update(PairSet=CountedPairs)
    return run.main(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
