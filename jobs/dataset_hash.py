"""A hash of datasets: `python -m jobs.dataset_hash FOLDER...` prints it. A process of its own, beside a training that
waits for nothing, and because LMDB opens a store once in a process only."""

import hashlib
import subprocess
import sys
from pathlib import Path

from jobs.folder import JobFolder
from jobs.stored import DATABASES, opened


def hash_of(folders: list[Path]) -> str:
    """SHA-256 over all pairs of all splits, as they are stored, in order."""
    whole = hashlib.sha256()
    for folder in folders:
        for split in ("train", "val", "test"):
            store = JobFolder(folder).store(split)
            if not store.exists():
                continue
            with opened(store) as pairs:
                for number in range(len(pairs)):
                    for name in DATABASES:
                        whole.update(pairs.value(name, number))
    return whole.hexdigest()


def begin(folders: list[Path]) -> "subprocess.Popen[str]":
    """Start the process; `communicate` gives what it prints."""
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.dataset_hash", *map(str, folders)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


if __name__ == "__main__":
    print(hash_of([Path(path) for path in sys.argv[1:]]))
