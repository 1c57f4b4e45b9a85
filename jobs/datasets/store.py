"""LMDB store of pairs: an environment per split with the databases `input`, `target`, `meta`, `qp`.

The values of a pair share one key (its number in the split, nine digits). One transaction
writes them, so a pair is complete or absent. `meta` is JSON: the metadata of the pair and the
encodings of its values. `qp` is a gray PNG with the QP of each macroblock of the input, if known.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from jobs.core.durable_files import sync
from jobs.core.errors import lmdb_disk_full
from jobs.core.stored import DATABASES, StoredPairs, key
from jobs.datasets.pairing import Record
from jobs.media.encodings import decode
from jobs.media.images import Picture
from jobs.media.qp_maps import QpMap, decode_map, plane_of

TRANSACTION_BYTES = 4 * 2**20
FLUSH_BYTES = 64 * 2**20
PAIR_OVERHEAD = 8192
"""Bytes per pair besides its two pictures: its meta, and the unused part of the last pages."""
MAP_OVERHEAD = 2**20
PAGE = 2**16
"""The map size is a multiple of this. No machine has larger pages."""


class PairWriter:
    """Appends pairs to a split. A writer for an existing store continues after its last pair.

    Each transaction reopens the store with the map size that it needs. LMDB cannot grow a map
    during a transaction, and every touched page of an open map counts as memory of this process.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._env: Any = None
        self._transaction: Any = None
        self._databases: list[Any] = []
        self._capacity = self._uncommitted = self._unflushed = 0
        transaction, meta = self._begin(0), self._databases[2]
        self.count: int = transaction.stat(meta)["entries"]
        last = transaction.get(key(self.count - 1), db=meta) if self.count else None
        self.last_item: int = json.loads(last)["item"] if last else -1
        """The number of the item (frame) of the last pair; -1 if the store is empty."""
        self.commit()
        self._flush = Flush(path / "data.mdb")

    def add(self, records: list[Record]) -> None:
        """Add all pairs of an item in one transaction."""
        size = sum(record.size + PAIR_OVERHEAD for record in records)
        if self._uncommitted + size > self._capacity:
            self.commit()
        if self._transaction is None:
            self._begin(size)
        try:
            for number, record in enumerate(records, self.count):
                meta = json.dumps(record.meta).encode()
                values = (record.input, record.target, meta, record.qp)
                for database, value in zip(self._databases, values, strict=True):
                    if value:
                        self._transaction.put(key(number), value, db=database, append=True)
        except lmdb.Error as error:
            self._close()
            raise self._full_disk_error(error) from error
        self.count += len(records)
        self._uncommitted += size
        if self._uncommitted >= TRANSACTION_BYTES:
            self.commit()

    def _begin(self, size: int) -> Any:
        """Begin a transaction with capacity for `size` bytes and for the adds before its commit."""
        file = self._path / "data.mdb"
        self._capacity = size + TRANSACTION_BYTES
        map_size = (file.stat().st_size if file.exists() else 0) + 2 * self._capacity + MAP_OVERHEAD
        # sync=False: a commit survives the end of the process, but not a power failure. `finish`
        # syncs once.
        # lock=False: LMDB's lock file is mapped. On a full disk it has no blocks, so that touching
        # it raises SIGBUS. The job's lock already excludes other writers.
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
            raise self._full_disk_error(error) from error
        return self._transaction

    def commit(self) -> None:
        if self._transaction is None:
            return
        try:
            self._transaction.commit()
        except lmdb.Error as error:
            raise self._full_disk_error(error) from error
        finally:
            self._close()
        self._unflushed += self._uncommitted
        self._uncommitted = 0
        if self._unflushed >= FLUSH_BYTES:
            self._flush.request()
            self._unflushed = 0

    def _close(self) -> None:
        """Close the environment. This aborts an open transaction."""
        self._env.close()
        self._env = self._transaction = None

    def _full_disk_error(self, error: lmdb.Error) -> Exception:
        """Return an OSError for a full disk, else the error itself."""
        return lmdb_disk_full(error, self._path, self._capacity + TRANSACTION_BYTES) or error

    def finish(self) -> None:
        self.commit()
        self._flush.end()
        sync(self._path / "data.mdb")

    def close(self) -> None:
        self._flush.stop()


class Flush:
    """Background thread that syncs written pages, so that the final sync is short."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._requested, self._stopping = threading.Event(), False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def request(self) -> None:
        self._requested.set()

    def end(self) -> None:
        """Stop the thread and raise its OSError: the kernel reports a failed write only once."""
        self.stop()
        if self._error:
            raise self._error

    def stop(self) -> None:
        self._stopping = True
        self._requested.set()
        self._thread.join()

    def _run(self) -> None:
        while self._requested.wait() and not self._stopping:
            self._requested.clear()
            try:
                sync(self._path)
            except OSError as error:
                self._error = error


@contextmanager
def writing(path: Path) -> Iterator[PairWriter]:
    """Open a writer; commit and sync its pairs at the end, even if the job fails."""
    writer = PairWriter(path)
    try:
        yield writer
    finally:
        try:
            writer.finish()
        finally:
            writer.close()


class PairReader(StoredPairs):
    """Decoded pairs of a finished split, by number. Raises IndexError for a missing number."""

    def __init__(self, path: Path) -> None:
        super().__init__(lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(DATABASES)))

    def __getitem__(self, number: int) -> tuple[Picture, Picture]:
        """Return (input, target), each uint8 (H, W, C)."""
        meta = self.meta(number)
        shape = meta["height"], meta["width"], meta["channels"]
        input = decode(self.value("input", number), meta["input_encoding"], shape)
        target = decode(self.value("target", number), meta["target_encoding"], shape)
        return input, target

    def qp(self, number: int) -> QpMap | None:
        """Return the QP of each macroblock of the input, uint8 (rows, columns); None if unknown.

        The first macroblock contains the first pixel of the input, which need not be its corner.
        """
        return decode_map(self.value("qp", number))

    def qp_plane(self, number: int) -> Picture:
        """Return the QPs as a plane of a network's input, uint8 (H, W, 1); see `plane_of`."""
        meta = self.meta(number)
        top, left = meta.get("patch") or (0, 0)
        return plane_of(self.qp(number), meta["height"], meta["width"], top, left)[:, :, None]
