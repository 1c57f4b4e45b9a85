"""A hash of datasets: `python -m jobs.training.dataset_hash FOLDER...` prints it. A process of its own, beside a training that
waits for nothing, and because LMDB opens a store once in a process only."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from jobs.core.events import EventLog, NoLog
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.stored import DATABASES, opened


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


@contextmanager
def told(log: EventLog | NoLog, folders: list[Path]) -> Iterator[None]:
    """Compute the hash in a process beside, and tell it to the log as soon as it is known, at the latest at the end; not
    where the work ends by an error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.training.dataset_hash", *map(str, folders)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )

    psutil.Process(process.pid).nice(19)  # It takes what the training leaves.

    def tell() -> None:
        found = process.communicate()[0].strip()
        if process.returncode == 0:
            log.append("facts", dataset_hash=found)

    waiting = threading.Thread(target=tell, daemon=True)
    waiting.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        waiting.join()


if __name__ == "__main__":
    print(hash_of([Path(path) for path in sys.argv[1:]]))
