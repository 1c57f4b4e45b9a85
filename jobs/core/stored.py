"""The stored values of the pairs of a finished split. Nothing is decoded.

jobs/datasets/store.py defines the layout. The server reads pairs through this module, which needs
neither av nor torch.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

Meta = dict[str, Any]

PICTURES_AND_META = ("input", "target", "meta")
DATABASES = (*PICTURES_AND_META, "qp")
"""The names of the values of a pair. Not every pair has a `qp`, and older stores have none."""

METAS_PER_READ = 1000

MACROBLOCK = 16

_lock = threading.Lock()


class StoredPairs:
    """The values and metas of a split, by number. Raises IndexError for an unknown number."""

    def __init__(self, environment: Any) -> None:
        self._env = environment
        self._databases = {name: environment.open_db(name.encode()) for name in PICTURES_AND_META}
        with suppress(lmdb.ReadonlyError):  # A store from before there were maps.
            self._databases["qp"] = environment.open_db(b"qp")
        with environment.begin() as transaction:
            self._length: int = transaction.stat(self._databases["meta"])["entries"]

    def __len__(self) -> int:
        return self._length

    def meta(self, number: int) -> Meta:
        meta: Meta = json.loads(self.value("meta", number))
        return meta

    def metas(self, first: int = 0, count: int | None = None) -> Iterator[Meta]:
        """The metas from number `first` on, in one pass: all of them, or `count`."""
        with (
            self._env.begin() as transaction,
            transaction.cursor(self._databases["meta"]) as cursor,
        ):
            if cursor.set_range(key(first)):
                for value in islice(cursor.iternext(keys=False), count):
                    yield json.loads(value)

    def value(self, name: str, number: int) -> bytes:
        """The bytes stored under a name of DATABASES: of `qp`, none if the pair has no map."""
        if not 0 <= number < self._length:
            raise IndexError(number)
        if name not in self._databases:
            return b""
        with self._env.begin() as transaction:
            return bytes(transaction.get(key(number), b"", db=self._databases[name]))

    def qp_map(self, number: int) -> bytes:
        """The QPs of an input for other programs: a gray PNG, a pixel a macroblock.

        None where they are unknown. Importers take the first macroblock to begin at the corner of
        the picture, so patches that begin within one have none either.
        """
        corner = self.meta(number).get("patch") or ()
        return b"" if any(side % MACROBLOCK for side in corner) else self.value("qp", number)

    def close(self) -> None:
        self._env.close()


@contextmanager
def opened(store: Path) -> Iterator[StoredPairs]:
    """The pairs of a split, opened for a short time.

    Opening takes 0.05 ms. The lock is needed because LMDB refuses to open a store twice in a
    process.
    """
    with (
        _lock,
        lmdb.open(str(store), readonly=True, lock=False, max_dbs=len(DATABASES)) as environment,
    ):
        yield StoredPairs(environment)


def metas(store: Path) -> Iterator[Meta]:
    """All metas of a split, in order.

    The store is reopened for each batch, because pages read from a mapped file count as memory.
    """
    first = 0
    while True:
        with opened(store) as pairs:
            batch = list(pairs.metas(first, METAS_PER_READ))
        yield from batch
        if len(batch) < METAS_PER_READ:
            return
        first += len(batch)


def key(number: int) -> bytes:
    """The LMDB key of a pair."""
    return b"%09d" % number
