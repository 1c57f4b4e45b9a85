"""The index of a split: the sort keys of its pairs, in `train.npy` next to `train.lmdb`.

The index has one row per pair, so that a million pairs are sorted without reading a million metas.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.core.durable_files import write_whole
from jobs.core.stored import Meta, metas
from jobs.core.types.fields import FrameType

ROW = np.dtype(
    [("frame", "i4"), ("sequence", "i4")]
    + [(key, "f4") for key in ("qp", "frame_type", "qp_mean", "psnr", "ssim")]
)
"""`sequence` numbers the names in order of appearance. NaN means unknown. Equal pictures have an
infinite PSNR. `frame_type` is the place in FRAME_TYPES."""

FRAME_TYPES: tuple[FrameType, ...] = ("I", "P", "B")
KEYS = ("number", "frame", "frame_type", "qp", "qp_mean", "psnr", "ssim")


def write(store: Path) -> None:
    """Index a finished split."""
    sequences: dict[str, int] = {}
    rows = np.fromiter((_row(meta, sequences) for meta in metas(store)), ROW)
    buffer = io.BytesIO()
    np.save(buffer, rows)
    write_whole(store.with_suffix(".npy"), buffer.getvalue())


def read(store: Path) -> NDArray[Any]:
    """The rows of a finished split, mapped into memory.

    Writes the index if it is missing, or from a version that had other columns.
    """
    path = store.with_suffix(".npy")
    if not path.exists() or np.load(path, mmap_mode="r").dtype != ROW:
        write(store)
    rows: NDArray[Any] = np.load(path, mmap_mode="r")
    return rows


def order(store: Path, key: str, descending: bool) -> NDArray[np.intp]:
    """The numbers of the pairs, sorted by one of KEYS.

    Pairs with equal values keep their order. Pairs with an unknown value are last in both
    directions.
    """
    rows = read(store)
    values = np.arange(len(rows)) if key == "number" else rows[key]
    return np.argsort(-values if descending else values, kind="stable")


def sortable_keys(store: Path) -> list[str]:
    """The KEYS that have a value in this split."""
    rows = read(store)
    return [key for key in KEYS if key in ("number", "frame") or not np.isnan(rows[key]).all()]


def _row(meta: Meta, sequences: dict[str, int]) -> tuple[float, ...]:
    sequence = sequences.setdefault(meta.get("sequence", ""), len(sequences))
    psnr = meta.get("psnr_input", math.nan)
    type = meta.get("frame_type")
    return (
        meta["frame"],
        sequence,
        _or_nan(meta.get("qp")),
        FRAME_TYPES.index(type) if type else math.nan,
        _or_nan(meta.get("qp_mean")),
        math.inf if psnr is None else psnr,
        _or_nan(meta.get("ssim_input")),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
