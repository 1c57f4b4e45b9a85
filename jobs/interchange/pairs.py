"""The pairs of a finished dataset, for export: from its stores, or from the ZIP of a server.

Memory holds a few pairs. Pictures are PNG files, whatever the encoding in the store.
"""

import csv
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.stored import StoredPairs, opened
from jobs.media.encodings import decode
from jobs.media.png import encode_png

SPLITS = ("train", "val", "test")
PAIRS_PER_READ = 8

FACTS: dict[str, type] = {
    "sequence": str,
    "frame": int,
    "original": str,
    "qp": float,
    "rate": str,
    "frame_type": str,
    "qp_mean": float,
    "psnr_input": float,
    "ssim_input": float,
    "height": int,
    "width": int,
    "channels": int,
}
"""The facts of a pair that exports keep, with their types. Each may be None."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class ExportedPair:
    """A pair as PNG files. `qp_map`: the input's QPs as a gray PNG; empty if unknown."""

    split: str
    number: int
    input: bytes
    target: bytes
    facts: Facts
    qp_map: bytes = b""

    @property
    def name(self) -> str:
        """The name of the pair in its split."""
        return f"{self.number:06d}"


@dataclass(frozen=True)
class Pairs:
    """The pairs of a dataset, split by split, and their number."""

    total: int
    pairs: Iterator[ExportedPair]


def from_job(folder: JobFolder) -> Pairs:
    """The pairs of a finished dataset of this machine."""
    stores = {split: folder.store(split) for split in SPLITS if folder.store(split).is_dir()}
    counts = {}
    for split, store in stores.items():
        with opened(store) as pairs:
            counts[split] = len(pairs)
    return Pairs(sum(counts.values()), _stored(stores, counts))


def _stored(stores: dict[str, Path], counts: dict[str, int]) -> Iterator[ExportedPair]:
    """The store is reopened for each few pairs: pages read from a mapped file count as memory."""
    for split, count in counts.items():
        for first in range(0, count, PAIRS_PER_READ):
            with opened(stores[split]) as pairs:
                numbers = range(first, min(first + PAIRS_PER_READ, count))
                few = [_stored_pair(pairs, split, number) for number in numbers]
            yield from few


def _stored_pair(pairs: StoredPairs, split: str, number: int) -> ExportedPair:
    meta = pairs.meta(number)
    shape = meta["height"], meta["width"], meta["channels"]

    def picture(role: str) -> bytes:
        value, encoding = pairs.value(role, number), meta[f"{role}_encoding"]
        return value if encoding == "png" else encode_png(decode(value, encoding, shape))

    return ExportedPair(
        split,
        number,
        picture("input"),
        picture("target"),
        {key: meta.get(key) for key in FACTS},
        pairs.qp_map(number),
    )


@contextmanager
def from_zip(path: Path) -> Iterator[Pairs]:
    """The pairs of a ZIP as a server has it: pairs.csv, and train/input/000000.png and so on.

    Raises JobError for another or a damaged file.
    """
    try:
        with ZipFile(path) as archive, archive.open("pairs.csv") as table:
            total = sum(1 for _ in csv.DictReader(io.TextIOWrapper(table, encoding="utf-8")))
        with ZipFile(path) as archive:
            yield Pairs(total, _zipped(archive))
    except (BadZipFile, KeyError, ValueError) as error:
        raise JobError(f"{path.name} is not a complete ZIP of pairs: {error}.") from error


def _zipped(archive: ZipFile) -> Iterator[ExportedPair]:
    known = frozenset(archive.namelist())
    with archive.open("pairs.csv") as table:
        for row in csv.DictReader(io.TextIOWrapper(table, encoding="utf-8")):
            input, target = (_as_png(archive.read(row[role])) for role in ("input", "target"))
            number = int(row["number"])
            qps = f"{row['split']}/qp_map/{number:06d}.png"
            qp_map = archive.read(qps) if qps in known else b""
            yield ExportedPair(row["split"], number, input, target, _facts(row), qp_map)


def _as_png(data: bytes) -> bytes:
    if data.startswith(b"\x89PNG"):
        return data
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        picture = np.asarray(image)
    return encode_png(picture if picture.ndim == 3 else picture[:, :, None])


def _facts(row: dict[str, str]) -> Facts:
    facts: Facts = {key: kind(row[key]) if row.get(key) else None for key, kind in FACTS.items()}
    infinite = [key for key, value in facts.items() if value == math.inf]
    return {**facts, **dict.fromkeys(infinite)}
