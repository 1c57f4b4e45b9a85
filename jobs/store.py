"""Pairs in LMDB: one environment a split, with the named databases `input`, `target` and `meta`.

The three values of a pair stand under one key (its number in the split, nine digits) and are
written in one transaction: a pair is there whole or not at all. `meta` is JSON: what belongs to
the pair, and how its values are encoded.
"""

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from jobs.encodings import decode
from jobs.images import Picture
from jobs.pairing import Record
from jobs.stored import DATABASES, StoredPairs, key

BYTES_A_TRANSACTION = 4 * 2**20
BYTES_A_FLUSH = 64 * 2**20
BYTES_BESIDE = 8192
"""What a pair takes at most beside its two pictures: its meta, and the rest of its last pages."""
FIRST_MAP_SIZE = 256 * 2**20
PAGE = 4096
"""Of LMDB, at least; where pages are larger, the map is grown more often than it need be."""


class PairWriter:
    """Adds pairs to a split, in order. A writer that opens a store goes on behind its last pair."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Without a sync a commit survives the end of the process, if not of the machine: `finish` syncs once.
        self._env = lmdb.open(str(path), map_size=FIRST_MAP_SIZE, max_dbs=len(DATABASES), sync=False)
        self._databases = [self._env.open_db(name.encode()) for name in DATABASES]
        self._transaction: Any = None
        self._room = self._uncommitted = self._unflushed = 0
        self._flush = Flush(path / "data.mdb")
        with self._env.begin() as transaction:
            self.count: int = transaction.stat(self._databases[2])["entries"]
            last = transaction.get(key(self.count - 1), db=self._databases[2]) if self.count else None
        self.last_item: int = json.loads(last)["item"] if last else -1
        """The item (frame) that the last pair was made of."""

    def add(self, records: list[Record]) -> None:
        """Add all pairs of an item; they are committed together."""
        size = sum(record.size + BYTES_BESIDE for record in records)
        if self._transaction is None or self._uncommitted + size > self._room:
            self._begin(size)
        try:
            for number, record in enumerate(records, self.count):
                values = (record.input, record.target, json.dumps(record.meta).encode())
                for database, value in zip(self._databases, values, strict=True):
                    self._transaction.put(key(number), value, db=database, append=True)
        except lmdb.Error as error:
            transaction, self._transaction = self._transaction, None
            transaction.abort()
            raise self._plainly(error) from error
        self.count += len(records)
        self._uncommitted += size
        if self._uncommitted >= BYTES_A_TRANSACTION:
            self.commit()

    def _begin(self, size: int) -> None:
        """A transaction with room for `size` bytes and all that may come before it is committed: a map grows only between two."""
        self.commit()
        self._room = size + BYTES_A_TRANSACTION
        info = self._env.info()
        needed = (info["last_pgno"] + 1) * PAGE + 2 * self._room
        if needed > info["map_size"]:
            self._env.set_mapsize(max(needed, 2 * info["map_size"]))
        self._transaction = self._env.begin(write=True)

    def commit(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        try:
            transaction.commit()
        except lmdb.Error as error:
            raise self._plainly(error) from error
        self._unflushed += self._uncommitted
        self._uncommitted = 0
        if self._unflushed >= BYTES_A_FLUSH:
            self._flush.ask()
            self._unflushed = 0

    def _plainly(self, error: lmdb.Error) -> Exception:
        """A full disk as the OSError that it is: LMDB calls a write that was cut short an input/output error."""
        full = any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EIO))
        if full and shutil.disk_usage(self._path).free < self._room + BYTES_A_TRANSACTION:
            return OSError(errno.ENOSPC, str(error))
        return error

    def finish(self) -> None:
        self.commit()
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            raise self._plainly(error) from error

    def close(self) -> None:
        self._flush.end()
        self._env.close()


class Flush:
    """Sends written pages to the disk while the next pairs are made, so that the sync at the end finds little to do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self) -> None:
        self._wanted.set()

    def end(self) -> None:
        self._ending = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        file = os.open(self._path, os.O_RDONLY)
        while self._wanted.wait() and not self._ending:
            self._wanted.clear()
            os.fsync(file)
        os.close(file)


@contextmanager
def writing(path: Path) -> Iterator[PairWriter]:
    """A writer whose pairs are committed and synced at the end, also when the job fails: they are good."""
    writer = PairWriter(path)
    try:
        yield writer
    finally:
        try:
            writer.finish()
        finally:
            writer.close()


class PairReader(StoredPairs):
    """The pairs of a finished split, decoded, by number. Raises IndexError for one that is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(DATABASES)))

    def __getitem__(self, number: int) -> tuple[Picture, Picture]:
        """(input, target), each uint8 (H, W, C)."""
        meta = self.meta(number)
        shape = meta["height"], meta["width"], meta["channels"]
        input = decode(self.value("input", number), meta["input_encoding"], shape)
        target = decode(self.value("target", number), meta["target_encoding"], shape)
        return input, target
