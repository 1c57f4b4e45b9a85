"""Writing of LMDB environments with one unnamed database, as Caffe and BasicSR read them."""

from pathlib import Path
from typing import Any

import lmdb

from jobs.core.durable_files import sync
from jobs.core.errors import JobError, lmdb_disk_full

TRANSACTION_BYTES = 16 * 2**20
OVERHEAD = 8192
"""Bytes per value besides itself: its key, and the unused part of its last page."""
PAGE = 2**16
"""The map size is a multiple of this. No machine has larger pages."""


class LmdbWriter:
    """Adds values in the order of their keys. Each transaction has some megabytes."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self._path = path
        self._values: list[tuple[bytes, bytes]] = []
        self._waiting = 0

    def add(self, key: bytes, value: bytes) -> None:
        self._values.append((key, value))
        self._waiting += len(value) + OVERHEAD
        if self._waiting >= TRANSACTION_BYTES:
            self._commit()

    def _commit(self) -> None:
        """Reopen the environment with the map size that it needs: readers get that size too."""
        file = self._path / "data.mdb"
        size = (file.stat().st_size if file.exists() else 0) + 2 * self._waiting + 2**20
        environment: Any = None
        try:
            # lock=False: LMDB's lock file is mapped. On a full disk it has no blocks, so that
            # touching it raises SIGBUS. No other process knows the environment yet.
            environment = lmdb.open(
                str(self._path), map_size=size // PAGE * PAGE, sync=False, lock=False
            )
            with environment.begin(write=True) as transaction:
                for key, value in self._values:
                    if not transaction.put(key, value, append=True):
                        # Without `append`, LMDB would sort the pairs in another order.
                        raise JobError(
                            f"{self._path}: the key {key.decode()} is not behind the last one. "
                            "The dataset has more pairs than the format has keys in order."
                        )
        except lmdb.Error as error:
            raise lmdb_disk_full(error, self._path, 2 * self._waiting) or error from error
        finally:
            if environment is not None:
                environment.close()
        self._values, self._waiting = [], 0

    def finish(self) -> None:
        self._commit()
        sync(self._path / "data.mdb")
