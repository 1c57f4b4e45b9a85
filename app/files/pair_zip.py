"""All pairs of a dataset as one ZIP, written while it is sent: memory holds one pair and the ZIP's table of contents."""

import csv
import io
import math
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from app.catalog.pairs import FACTS, ending, facts, picture, splits
from app.files.zips import Outbox
from jobs.core.folder import JobFolder

ROLES = ("input", "target")
METAS_A_PART = 1000


def stream(folder: JobFolder) -> Iterator[bytes]:
    """The parts of the ZIP: pairs.csv, then train/input/000000.png and so on. Pictures are packed already: they are stored."""
    counts, outbox = splits(folder), Outbox()
    with ZipFile(outbox, "w", ZIP_STORED) as archive:
        with archive.open("pairs.csv", "w", force_zip64=True) as table:
            for rows in _rows(folder, counts):
                table.write(rows.encode())
                yield outbox.take()
        for split, count in counts.items():
            for number in range(count):
                for role in ROLES:
                    data, ending = picture(folder.store(split), number, role)
                    archive.writestr(_name(split, role, number, ending), data)
                    yield outbox.take()
    yield outbox.take()


def _name(split: str, role: str, number: int, ending: str) -> str:
    return f"{split}/{role}/{number:06d}.{ending}"


def _rows(folder: JobFolder, counts: dict[str, int]) -> Iterator[str]:
    """The lines of pairs.csv, some at a time: the store is never left open between two of them."""
    from jobs.core.stored import opened

    yield _line(["split", "number", *FACTS, *ROLES])
    for split, count in counts.items():
        for first in range(0, count, METAS_A_PART):
            with opened(folder.store(split)) as pairs:
                metas = list(pairs.metas(first, METAS_A_PART))
            yield "".join(_row(split, number, meta) for number, meta in enumerate(metas, first))


def _row(split: str, number: int, meta: dict[str, Any]) -> str:
    shown = facts(meta)
    if "psnr_input" in meta and shown["psnr_input"] is None:
        shown["psnr_input"] = math.inf
    if shown["patch"] is not None:
        shown["patch"] = " ".join(map(str, shown["patch"]))
    names = [_name(split, role, number, ending(meta, role)) for role in ROLES]
    return _line([split, number, *(shown[key] for key in FACTS), *names])


def _line(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
