"""A hash of datasets: `python -m jobs.training.dataset_hash FOLDER...` prints it.

It runs in its own process, so that the training does not wait for it, and because a process can
open an LMDB store only once.
"""

import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from jobs.core import processes
from jobs.core.events import Log
from jobs.core.folder import JobFolder
from jobs.core.stored import DATABASES, opened


def hash_of(folders: list[Path]) -> str:
    """SHA-256 over the stored values of all pairs of all splits, in order."""
    sha256 = hashlib.sha256()
    for folder in folders:
        for split in ("train", "val", "test"):
            store = JobFolder(folder).store(split)
            if not store.exists():
                continue
            with opened(store) as pairs:
                for number in range(len(pairs)):
                    for name in DATABASES:
                        sha256.update(pairs.value(name, number))
    return sha256.hexdigest()


@contextmanager
def hashed_in_background(log: Log, folders: list[Path]) -> Iterator[None]:
    """Compute the hash in a subprocess and log it when it is known, at the latest at the end.

    If the block raises, the subprocess is killed and no hash is logged.
    """
    with TemporaryFile("w+") as output:
        process = processes.start(
            "jobs.training.dataset_hash",
            [str(folder) for folder in folders],
            stdout=output.fileno(),
        )
        with suppress(psutil.NoSuchProcess):
            # It uses only the CPU time that the training leaves.
            psutil.Process(process.pid).nice(19)

        def log_hash() -> None:
            if process.wait() == 0:
                output.seek(0)
                log.append("facts", dataset_hash=output.read().strip())

        waiting = threading.Thread(target=log_hash, daemon=True)
        waiting.start()
        try:
            yield
        except BaseException:
            process.kill()
            raise
        finally:
            waiting.join()


def main(*folders: str) -> None:
    print(hash_of([Path(folder) for folder in folders]))


if __name__ == "__main__":
    main(*sys.argv[1:])
