"""The pairs of a finished split as they are stored: nothing is decoded.

The layout is that of jobs/datasets/store.py. The server reads pairs through this module, for it needs neither av nor torch.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

Meta = dict[str, Any]

DATABASES = ("input", "target", "meta")

METAS_AT_ONCE = 1000

_one_at_a_time = threading.Lock()


class StoredPairs:
    """The values and metas of a split, by number. Raises IndexError for one that is not there."""

    def __init__(self, environment: Any) -> None:
        self._env = environment
        self._databases = {name: environment.open_db(name.encode()) for name in DATABASES}
        with environment.begin() as transaction:
            self._length: int = transaction.stat(self._databases["meta"])["entries"]

    def __len__(self) -> int:
        return self._length

    def meta(self, number: int) -> Meta:
        meta: Meta = json.loads(self.value("meta", number))
        return meta

    def metas(self, first: int = 0, count: int | None = None) -> Iterator[Meta]:
        """The metas from number `first` on, in one walk: all of them, or `count`."""
        with (
            self._env.begin() as transaction,
            transaction.cursor(self._databases["meta"]) as cursor,
        ):
            if cursor.set_range(key(first)):
                for value in islice(cursor.iternext(keys=False), count):
                    yield json.loads(value)

    def value(self, name: str, number: int) -> bytes:
        """What is stored as `input`, `target` or `meta`."""
        if not 0 <= number < self._length:
            raise IndexError(number)
        with self._env.begin() as transaction:
            return bytes(transaction.get(key(number), db=self._databases[name]))

    def close(self) -> None:
        self._env.close()


@contextmanager
def opened(store: Path) -> Iterator[StoredPairs]:
    """The pairs of a split, for a moment: opening costs 0.05 ms, and LMDB refuses to open a store twice in a process."""
    with (
        _one_at_a_time,
        lmdb.open(str(store), readonly=True, lock=False, max_dbs=len(DATABASES)) as environment,
    ):
        yield StoredPairs(environment)


def metas(store: Path) -> Iterator[Meta]:
    """All metas of a split, in order. Opened anew for some at a time: what was read of a mapped file counts as memory."""
    first = 0
    while True:
        with opened(store) as pairs:
            some = list(pairs.metas(first, METAS_AT_ONCE))
        yield from some
        if len(some) < METAS_AT_ONCE:
            return
        first += len(some)


def key(number: int) -> bytes:
    return b"%09d" % number
