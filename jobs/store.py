"""Pairs in LMDB: one environment a split, with the named databases `input`, `target` and `meta`.

The three values of a pair stand under one key (its number in the split, nine digits) and are
written in one transaction: a pair is there whole or not at all. `meta` is JSON: what belongs to
the pair, and how its values are encoded.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from PIL import Image

from jobs.media import Picture
from jobs.specs import Encoding

PAIRS_A_TRANSACTION = 32
FIRST_MAP_SIZE = 64 * 2**20


@dataclass(frozen=True)
class Record:
    """An encoded pair; `meta` has at least input_encoding, target_encoding, height, width."""

    input: bytes
    target: bytes
    meta: dict[str, Any]


def encode(picture: Picture, encoding: Encoding) -> bytes:
    """A picture as stored: raw bytes (H, W, 3), PNG or JPEG of quality 95 without chroma subsampling."""
    if encoding == "none":
        return picture.tobytes()
    buffer = io.BytesIO()
    if encoding == "png":
        Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    else:
        Image.fromarray(picture).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def decode(value: bytes, encoding: Encoding, height: int, width: int) -> Picture:
    """The picture uint8 (H, W, 3) of a stored value."""
    if encoding == "none":
        return np.frombuffer(value, np.uint8).reshape(height, width, 3)
    with Image.open(io.BytesIO(value)) as image:
        return np.asarray(image)


class PairWriter:
    """Adds pairs to a split, in order. A writer that opens a store goes on behind its last pair."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        # Without a sync a commit survives the end of the process, if not of the machine: `finish` syncs once.
        self._env = lmdb.open(str(path), map_size=FIRST_MAP_SIZE, max_dbs=3, sync=False)
        self._databases = [self._env.open_db(name) for name in (b"input", b"target", b"meta")]
        with self._env.begin() as transaction:
            self.committed: int = transaction.stat(self._databases[2])["entries"]
        self._waiting: list[Record] = []

    def add(self, record: Record) -> None:
        self._waiting.append(record)
        if len(self._waiting) == PAIRS_A_TRANSACTION:
            self.commit()

    def commit(self) -> None:
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    for number, record in enumerate(self._waiting, self.committed):
                        values = (record.input, record.target, json.dumps(record.meta).encode())
                        for database, value in zip(self._databases, values, strict=True):
                            transaction.put(_key(number), value, db=database, append=True)
                break
            except lmdb.MapFullError:
                self._env.set_mapsize(self._env.info()["map_size"] * 2)
        self.committed += len(self._waiting)
        self._waiting = []

    def finish(self) -> None:
        self.commit()
        self._env.sync(True)

    def close(self) -> None:
        self._env.close()


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


class PairReader:
    """The pairs of a finished split, by number. Raises IndexError for one that is not there."""

    def __init__(self, path: Path) -> None:
        self._env = lmdb.open(str(path), readonly=True, lock=False, max_dbs=3)
        self._input, self._target, self._meta = (self._env.open_db(name) for name in (b"input", b"target", b"meta"))
        with self._env.begin() as transaction:
            self._length: int = transaction.stat(self._meta)["entries"]

    def __len__(self) -> int:
        return self._length

    def meta(self, number: int) -> dict[str, Any]:
        meta: dict[str, Any] = json.loads(self._get(number, self._meta))
        return meta

    def __getitem__(self, number: int) -> tuple[Picture, Picture]:
        """(input, target), each uint8 (H, W, 3)."""
        meta = self.meta(number)
        input = decode(self._get(number, self._input), meta["input_encoding"], meta["height"], meta["width"])
        target = decode(self._get(number, self._target), meta["target_encoding"], meta["height"], meta["width"])
        return input, target

    def _get(self, number: int, database: Any) -> bytes:
        with self._env.begin() as transaction:
            value = transaction.get(_key(number), db=database)
        if value is None:
            raise IndexError(number)
        return bytes(value)

    def close(self) -> None:
        self._env.close()


def _key(number: int) -> bytes:
    return b"%09d" % number
