"""The pairs of a dataset, as its pages, the API and the ZIP show them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, Field

from app.answers import Pair, PairPage
from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.validation_errors import Invalid
from jobs.core.folder import JobFolder
from jobs.specs.export import DatasetFormat

PAIRS_A_PAGE = 24
SPLITS = ("train", "val", "test")

Split = Literal["train", "val", "test"]
Meta = dict[str, Any]


class Sorting(BaseModel):
    """The order of the pairs: the part of the query string that all these pages share."""

    sort: Literal["number", "frame", "frame_type", "qp", "qp_mean", "psnr", "ssim"] = Field(
        "number", description="Sort pairs by this key."
    )
    order: Literal["asc", "desc"] = Field("asc", description="Ascending or descending.")


class PairsQuery(Sorting):
    """The query string of a page of pairs."""

    split: Split = Field("train", description="Only pairs of this split.")
    page: int = Field(1, ge=1, description="Number of the page, from 1.")


class ExportQuery(BaseModel):
    """How the pairs of a dataset are exported."""

    format: DatasetFormat = Field(
        "png",
        description="The program that reads them. png: folders of images, sent as they are read; "
        "the server writes the others into its home before it sends them.",
    )


@dataclass(frozen=True)
class Neighbours:
    """The position of a pair in the order, from 1, and the numbers of the pairs next to it.

    None if no pair is before it or behind it.
    """

    position: int
    before: int | None
    behind: int | None


def finished(row: JobRow, folder: JobFolder) -> JobFolder:
    """The folder of a dataset that is done. Raises Refused: its stores are incomplete before."""
    if row.state in ("waiting", "running"):
        raise Refused(
            f"The dataset “{row.name}” is not finished yet (state: {row.state}). "
            "Its pairs are available when it is done."
        )
    if row.state != "done":
        raise Refused(
            f"The dataset “{row.name}” is not finished (state: {row.state}). Resume it. "
            "Its pairs are available when it is done."
        )
    return folder


def splits(folder: JobFolder) -> dict[str, int]:
    """The number of pairs of each split."""
    from jobs.core import pair_index

    return {
        split: len(pair_index.read(folder.store(split)))
        for split in SPLITS
        if folder.store(split).is_dir()
    }


def pairs_page(row: JobRow, folder: JobFolder, query: PairsQuery) -> PairPage:
    """A page of pairs, with the splits and sort keys of the dataset. Raises Refused, Invalid."""
    from jobs.core import pair_index
    from jobs.core.stored import opened

    folder = finished(row, folder)
    store, counts = folder.store(query.split), splits(folder)
    if query.split not in counts:
        raise Invalid(
            {"split": f"The dataset has no {query.split} pairs. Available: {', '.join(counts)}."}
        )
    total = counts[query.split]
    pages = max(1, -(-total // PAIRS_A_PAGE))
    if query.page > pages:
        raise Invalid({"page": f"Page {query.page} does not exist. The last page is {pages}."})
    first = (query.page - 1) * PAIRS_A_PAGE
    numbers = pair_index.order(store, query.sort, query.order == "desc")[
        first : first + PAIRS_A_PAGE
    ].tolist()
    with opened(store) as pairs:
        page = [_pair(row.id, query.split, number, pairs.meta(number)) for number in numbers]
    keys = pair_index.sortable_keys(store)
    return {
        "pairs": page,
        "total": total,
        "pages": pages,
        "splits": counts,
        "keys": keys,
        "split": query.split,
        "sort": query.sort,
        "order": query.order,
        "page": query.page,
    }


def pair(row: JobRow, folder: JobFolder, split: str, number: int) -> Pair | None:
    """A pair, or None if it does not exist. Raises Refused."""
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
    """A picture of a pair, as a file, and its extension, png or jpg. Raises IndexError.

    The file is as stored; raw pixels are encoded as PNG. The role `qp` is the map of the input's
    QPs, `qp_map` that for other programs; the file is empty if they are unknown.
    """
    from jobs.core.stored import opened

    with opened(store) as pairs:
        meta = pairs.meta(number)
        value = pairs.qp_map(number) if role == "qp_map" else pairs.value(role, number)
    if role in ("qp", "qp_map"):
        return value, "png"
    data = value if meta[f"{role}_encoding"] != "none" else _png(value, meta)
    return data, extension(meta, role)


def extension(meta: Meta, role: str) -> str:
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
    "frame_type",
    "qp_mean",
    "patch",
    "psnr_input",
    "ssim_input",
    "height",
    "width",
    "channels",
)


def facts(meta: Meta) -> Meta:
    """The metadata of a pair: the same keys for every kind of source, with defaults."""
    return {
        **dict.fromkeys(FACTS),
        "sequence": "",
        "channels": 3,
        **{key: meta[key] for key in FACTS if key in meta},
    }


def _pair(id: str, split: str, number: int, meta: Meta) -> Pair:
    folder = f"/datasets/{id}/pairs/{split}/{number}"
    urls = {role: f"{folder}/{role}.{extension(meta, role)}" for role in ("input", "target")}
    encodings = {f"{role}_encoding": meta[f"{role}_encoding"] for role in urls}
    qp_map = None if meta.get("qp_mean") is None else f"{folder}/qp.png"
    pair = {
        "number": number,
        "split": split,
        **facts(meta),
        **encodings,
        **urls,
        "qp_map": qp_map,
    }
    return cast(Pair, pair)
