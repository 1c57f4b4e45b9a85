"""A worker that believes that its spec names two GPUs, and starts the second rank."""

import sys

from jobs import run
from jobs.training import ranks


def main(path: str) -> int:
    vars(ranks).update(gpus=lambda device: [0, 1], check_gpu=lambda index: None)
    return run.main(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
