"""The pairs of a dataset as its pages, the API and the ZIP see them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.problems import Invalid, validate
from jobs.core.folder import JobFolder

PAIRS_A_PAGE = 24
SPLITS = ("train", "val", "test")

Split = Literal["train", "val", "test"]
Pair = dict[str, Any]
Meta = dict[str, Any]


class Sorting(BaseModel):
    """In which order pairs are looked at; the query of every address here."""

    sort: Literal["number", "frame", "qp", "psnr", "ssim"] = "number"
    order: Literal["asc", "desc"] = "asc"


class Wanted(Sorting):
    """One page of pairs."""

    split: Split = "train"
    page: int = Field(1, ge=1)


@dataclass(frozen=True)
class Neighbours:
    """Where a pair stands in the order, from 1; None where there is no pair before or behind it."""

    position: int
    before: int | None
    behind: int | None


def finished(row: JobRow, folder: JobFolder) -> JobFolder:
    """The folder of a dataset that is done. Raises Refused: until then its stores are being written."""
    if row.state in ("waiting", "running"):
        raise Refused(
            f"“{row.name}” is still being made ({row.state}). Its pairs can be seen as soon as it is done."
        )
    if row.state != "done":
        raise Refused(
            f"“{row.name}” was not finished ({row.state}). Resume it; its pairs can be seen when it is done."
        )
    return folder


def splits(folder: JobFolder) -> dict[str, int]:
    """How many pairs each split has."""
    from jobs.core import pair_index

    return {
        split: len(pair_index.read(folder.store(split)))
        for split in SPLITS
        if folder.store(split).is_dir()
    }


def listing(row: JobRow, folder: JobFolder, query: dict[str, str]) -> dict[str, Any]:
    """A page of pairs, and what else there is. Raises Refused, Invalid."""
    from jobs.core import pair_index
    from jobs.core.stored import opened

    folder, wanted = finished(row, folder), validate(Wanted, query)
    store, counts = folder.store(wanted.split), splits(folder)
    if wanted.split not in counts:
        raise Invalid(
            {
                "split": f"The dataset has no {wanted.split} pairs: choose one of {', '.join(counts)}."
            }
        )
    total = counts[wanted.split]
    pages = max(1, -(-total // PAIRS_A_PAGE))
    if wanted.page > pages:
        raise Invalid({"page": f"There is no page {wanted.page}: the last one is {pages}."})
    first = (wanted.page - 1) * PAIRS_A_PAGE
    numbers = pair_index.order(store, wanted.sort, wanted.order == "desc")[
        first : first + PAIRS_A_PAGE
    ].tolist()
    with opened(store) as pairs:
        shown = [_pair(row.id, wanted.split, number, pairs.meta(number)) for number in numbers]
    keys = pair_index.known(store)
    return {
        "pairs": shown,
        "total": total,
        "pages": pages,
        "splits": counts,
        "keys": keys,
        **wanted.model_dump(),
    }


def pair(row: JobRow, folder: JobFolder, split: str, number: int) -> Pair | None:
    """One pair, None where there is none. Raises Refused."""
    from jobs.core.stored import opened

    store = finished(row, folder).store(split)
    if not store.is_dir():
        return None
    with opened(store) as pairs:
        return _pair(row.id, split, number, pairs.meta(number)) if number < len(pairs) else None


def neighbours(store: Path, number: int, sorting: Sorting) -> Neighbours:
    from jobs.core import pair_index

    order = pair_index.order(store, sorting.sort, sorting.order == "desc")
    at = int((order == number).argmax())
    before = int(order[at - 1]) if at else None
    return Neighbours(at + 1, before, int(order[at + 1]) if at + 1 < len(order) else None)


def picture(store: Path, number: int, role: str) -> tuple[bytes, str]:
    """A file of a pair's picture and its ending, png or jpg: as stored, where a file is stored. Raises IndexError."""
    from jobs.core.stored import opened

    with opened(store) as pairs:
        meta, value = pairs.meta(number), pairs.value(role, number)
    return (value if meta[f"{role}_encoding"] != "none" else _png(value, meta)), ending(meta, role)


def ending(meta: Meta, role: str) -> str:
    return "jpg" if meta[f"{role}_encoding"] == "jpeg" else "png"


def _png(value: bytes, meta: Meta) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    mode = "L" if meta.get("channels") == 1 else "RGB"
    Image.frombytes(mode, (meta["width"], meta["height"]), value).save(
        buffer, "PNG", compress_level=1
    )
    return buffer.getvalue()


FACTS = (
    "frame",
    "sequence",
    "original",
    "qp",
    "rate",
    "patch",
    "psnr_input",
    "ssim_input",
    "height",
    "width",
    "channels",
)


def facts(meta: Meta) -> Meta:
    """What is known of a pair, under the same names whatever made it."""
    return {
        **dict.fromkeys(FACTS),
        "sequence": "",
        "channels": 3,
        **{key: meta[key] for key in FACTS if key in meta},
    }


def _pair(id: str, split: str, number: int, meta: Meta) -> Pair:
    urls = {
        role: f"/datasets/{id}/pairs/{split}/{number}/{role}.{ending(meta, role)}"
        for role in ("input", "target")
    }
    encodings = {f"{role}_encoding": meta[f"{role}_encoding"] for role in urls}
    return {"number": number, "split": split, **facts(meta), **encodings, **urls}
