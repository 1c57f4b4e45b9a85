"""Pairs in LMDB: one environment a split, with the named databases `input`, `target` and `meta`.

The three values of a pair stand under one key (its number in the split, nine digits) and are
written in one transaction: a pair is there whole or not at all. `meta` is JSON: what belongs to
the pair, and how its values are encoded.
"""

import errno
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from PIL import Image

from jobs.images import Picture
from jobs.png import encode_png
from jobs.specs.dataset import Encoding
from jobs.stored import DATABASES, StoredPairs, key

BYTES_A_TRANSACTION = 8 * 2**20
BYTES_A_FLUSH = 64 * 2**20
FIRST_MAP_SIZE = 256 * 2**20


@dataclass(frozen=True)
class Record:
    """An encoded pair; `meta` has at least item, input_encoding, target_encoding, height, width, channels."""

    input: bytes
    target: bytes
    meta: dict[str, Any]

    @property
    def size(self) -> int:
        return len(self.input) + len(self.target)


def encode(picture: Picture, encoding: Encoding, quality: int = 95) -> bytes:
    """A picture as stored: raw bytes (H, W, C), PNG, or JPEG without chroma subsampling."""
    if encoding == "none":
        return picture.tobytes()
    if encoding == "png":
        return encode_png(picture)
    buffer = io.BytesIO()
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def decode(value: bytes | memoryview, encoding: Encoding, shape: tuple[int, int, int]) -> Picture:
    """The picture uint8 (H, W, C) of a stored value."""
    if encoding == "none":
        return np.frombuffer(value, np.uint8).reshape(shape)
    with Image.open(io.BytesIO(value)) as image:
        return np.asarray(image).reshape(shape)


class PairWriter:
    """Adds pairs to a split, in order. A writer that opens a store goes on behind its last pair."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Without a sync a commit survives the end of the process, if not of the machine: `finish` syncs once.
        self._env = lmdb.open(str(path), map_size=FIRST_MAP_SIZE, max_dbs=len(DATABASES), sync=False)
        self._databases = [self._env.open_db(name.encode()) for name in DATABASES]
        self._waiting: list[Record] = []
        self._bytes = self._unflushed = 0
        self._flush = Flush(path / "data.mdb")
        with self._env.begin() as transaction:
            self.committed: int = transaction.stat(self._databases[2])["entries"]
            last = transaction.get(key(self.committed - 1), db=self._databases[2]) if self.committed else None
        self.last_item: int = json.loads(last)["item"] if last else -1
        """The item (frame) that the last pair was made of."""

    def add(self, records: list[Record]) -> None:
        """Add all pairs of an item; they are committed together."""
        self._waiting += records
        self._bytes += sum(record.size for record in records)
        if self._bytes >= BYTES_A_TRANSACTION:
            self.commit()

    def commit(self) -> None:
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    for number, record in enumerate(self._waiting, self.committed):
                        values = (record.input, record.target, json.dumps(record.meta).encode())
                        for database, value in zip(self._databases, values, strict=True):
                            transaction.put(key(number), value, db=database, append=True)
                break
            except lmdb.MapFullError:
                self._env.set_mapsize(self._env.info()["map_size"] * 2)
            except lmdb.Error as error:
                raise self._plainly(error) from error
        self.committed += len(self._waiting)
        self._unflushed += self._bytes
        self._waiting, self._bytes = [], 0
        if self._unflushed >= BYTES_A_FLUSH:
            self._flush.ask()
            self._unflushed = 0

    def _plainly(self, error: lmdb.Error) -> Exception:
        """A full disk as the OSError that it is: LMDB calls a write that was cut short an input/output error."""
        full = any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EIO))
        if full and shutil.disk_usage(self._path).free < self._bytes + BYTES_A_TRANSACTION:
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
