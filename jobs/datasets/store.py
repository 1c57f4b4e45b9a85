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

from jobs.core.disk import sync
from jobs.core.stored import DATABASES, StoredPairs, key
from jobs.datasets.pairing import Record
from jobs.media.encodings import decode
from jobs.media.images import Picture

BYTES_A_TRANSACTION = 4 * 2**20
BYTES_A_FLUSH = 64 * 2**20
BYTES_BESIDE = 8192
"""What a pair takes beside its two pictures: its meta, and the rest of their last pages."""
MAP_BESIDE = 2**20
PAGE = 2**16
"""A map is a whole number of pages, which no machine has larger."""


class PairWriter:
    """Adds pairs to a split, in order. A writer that opens a store goes on behind its last pair.

    Every transaction opens the store anew, with a map as large as it needs: a map cannot grow while one is under
    way, and what was touched of a mapped file would count as this process's memory for as long as it is open.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._env: Any = None
        self._transaction: Any = None
        self._databases: list[Any] = []
        self._room = self._uncommitted = self._unflushed = 0
        transaction, meta = self._begin(0), self._databases[2]
        self.count: int = transaction.stat(meta)["entries"]
        last = transaction.get(key(self.count - 1), db=meta) if self.count else None
        self.last_item: int = json.loads(last)["item"] if last else -1
        """The item (frame) that the last pair was made of."""
        self.commit()
        self._flush = Flush(path / "data.mdb")

    def add(self, records: list[Record]) -> None:
        """Add all pairs of an item; they are committed together."""
        size = sum(record.size + BYTES_BESIDE for record in records)
        if self._uncommitted + size > self._room:
            self.commit()
        if self._transaction is None:
            self._begin(size)
        try:
            for number, record in enumerate(records, self.count):
                values = (record.input, record.target, json.dumps(record.meta).encode())
                for database, value in zip(self._databases, values, strict=True):
                    self._transaction.put(key(number), value, db=database, append=True)
        except lmdb.Error as error:
            self._close()
            raise self._plainly(error) from error
        self.count += len(records)
        self._uncommitted += size
        if self._uncommitted >= BYTES_A_TRANSACTION:
            self.commit()

    def _begin(self, size: int) -> Any:
        """A transaction with room for `size` bytes and for all that may come before it is committed."""
        file = self._path / "data.mdb"
        self._room = size + BYTES_A_TRANSACTION
        map_size = (file.stat().st_size if file.exists() else 0) + 2 * self._room + MAP_BESIDE
        # Without a sync a commit survives the end of the process, if not of the machine: `finish` syncs once. LMDB's own locks
        # are a mapped file, which on a full disk has no blocks: to touch it is a SIGBUS. The job's lock lets nobody else write.
        size = map_size // PAGE * PAGE
        try:
            self._env = lmdb.open(
                str(self._path), map_size=size, max_dbs=len(DATABASES), sync=False, lock=False
            )
            self._databases = [self._env.open_db(name.encode()) for name in DATABASES]
            self._transaction = self._env.begin(write=True)
        except lmdb.Error as error:
            if self._env is not None:
                self._close()
            raise self._plainly(error) from error
        return self._transaction

    def commit(self) -> None:
        if self._transaction is None:
            return
        try:
            self._transaction.commit()
        except lmdb.Error as error:
            raise self._plainly(error) from error
        finally:
            self._close()
        self._unflushed += self._uncommitted
        self._uncommitted = 0
        if self._unflushed >= BYTES_A_FLUSH:
            self._flush.ask()
            self._unflushed = 0

    def _close(self) -> None:
        """An open transaction is given up."""
        self._env.close()
        self._env = self._transaction = None

    def _plainly(self, error: lmdb.Error) -> Exception:
        """A full disk as the OSError that it is: LMDB calls a write that was cut short an input/output error."""
        full = any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EIO))
        if full and shutil.disk_usage(self._path).free < self._room + BYTES_A_TRANSACTION:
            return OSError(errno.ENOSPC, str(error))
        return error

    def finish(self) -> None:
        self.commit()
        self._flush.end()
        sync(self._path / "data.mdb")

    def close(self) -> None:
        self._flush.stop()


class Flush:
    """Sends written pages to the disk while the next pairs are made, so that the sync at the end finds little to do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted, self._ending = threading.Event(), False
        self._problem: OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self) -> None:
        self._wanted.set()

    def end(self) -> None:
        """Raises OSError where pages could not be written: the kernel tells that once only, to whoever syncs first."""
        self.stop()
        if self._problem:
            raise self._problem

    def stop(self) -> None:
        self._ending = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._ending:
            self._wanted.clear()
            try:
                sync(self._path)
            except OSError as error:
                self._problem = error


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
