"""Make a store of pairs, in a process of its own: a mapped page without room raises SIGBUS."""

import sys
from pathlib import Path

from jobs.datasets.store import PairWriter


def main(folder: str) -> int:
    PairWriter(Path(folder))
    return 0


if __name__ == "__main__":  # Without a fork server.
    sys.exit(main(*sys.argv[1:]))
