"""All pairs of a dataset as a streamed ZIP.

Memory holds only one pair and the ZIP's central directory.
"""

import math
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from app.catalog.pairs import FACTS, extension, facts, picture, splits
from app.files.streaming import csv_lines
from app.files.zips import Outbox
from jobs.core.folder import JobFolder

ROLES = ("input", "target")
QPS = "qp_map"
METAS_PER_PART = 200


def stream(folder: JobFolder) -> Iterator[bytes]:
    """Yield the parts of the ZIP: pairs.csv, then train/input/000000.png and so on.

    train/qp_map has the QPs of inputs where they are known, as other exports have them.

    Entries are stored without compression, because images already are compressed.
    """
    counts, outbox = splits(folder), Outbox()
    with ZipFile(outbox, "w", ZIP_STORED) as archive:
        with archive.open("pairs.csv", "w", force_zip64=True) as table:
            for rows in _rows(folder, counts):
                table.write(rows.encode())
                yield outbox.take()
        for split, count in counts.items():
            for number in range(count):
                for role in (*ROLES, QPS):
                    data, extension = picture(folder.store(split), number, role)
                    if data:
                        archive.writestr(_name(split, role, number, extension), data)
                    yield outbox.take()
    yield outbox.take()


def _name(split: str, role: str, number: int, extension: str) -> str:
    return f"{split}/{role}/{number:06d}.{extension}"


def _rows(folder: JobFolder, counts: dict[str, int]) -> Iterator[str]:
    """The lines of pairs.csv in blocks. The store is closed while a block is sent."""
    from jobs.core.stored import opened

    yield csv_lines([["split", "number", *FACTS, *ROLES]])
    for split, count in counts.items():
        for first in range(0, count, METAS_PER_PART):
            with opened(folder.store(split)) as pairs:
                metas = list(pairs.metas(first, METAS_PER_PART))
            yield csv_lines(_row(split, number, meta) for number, meta in enumerate(metas, first))


def _row(split: str, number: int, meta: dict[str, Any]) -> list[Any]:
    values = facts(meta)
    if "psnr_input" in meta and values["psnr_input"] is None:
        values["psnr_input"] = math.inf
    if values["patch"] is not None:
        values["patch"] = " ".join(map(str, values["patch"]))
    names = [_name(split, role, number, extension(meta, role)) for role in ROLES]
    return [split, number, *(values[key] for key in FACTS), *names]
