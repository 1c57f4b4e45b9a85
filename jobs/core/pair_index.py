"""The index of a split: what its pairs are sorted by, in `train.npy` beside `train.lmdb`.

A row a pair, so that a million of them are sorted without reading a million metas.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.core.stored import Meta, metas

ROW = np.dtype([("frame", "i4"), ("sequence", "i4"), ("qp", "f4"), ("psnr", "f4"), ("ssim", "f4")])
"""`sequence` counts the names in the order in which they appear; NaN is unknown, an infinite PSNR stands for equal pictures."""

KEYS = ("number", "frame", "qp", "psnr", "ssim")


def write(store: Path) -> None:
    """Index a finished split; the file is there whole or not at all."""
    sequences: dict[str, int] = {}
    rows = np.fromiter((_row(meta, sequences) for meta in metas(store)), ROW)
    draft = store.with_name(f".{store.stem}.npy")
    np.save(draft, rows)
    draft.replace(store.with_suffix(".npy"))


def read(store: Path) -> NDArray[Any]:
    """The rows of a finished split, mapped into memory. A split from before there were indexes is given one."""
    path = store.with_suffix(".npy")
    if not path.exists():
        write(store)
    rows: NDArray[Any] = np.load(path, mmap_mode="r")
    return rows


def order(store: Path, key: str, descending: bool) -> NDArray[np.intp]:
    """The numbers of the pairs by one of KEYS: equal ones in their own order, unknown ones last either way."""
    rows = read(store)
    values = np.arange(len(rows)) if key == "number" else rows[key]
    return np.argsort(-values if descending else values, kind="stable")


def known(store: Path) -> list[str]:
    """The KEYS by which sorting this split makes sense."""
    rows = read(store)
    return [key for key in KEYS if key in ("number", "frame") or not np.isnan(rows[key]).all()]


def _row(meta: Meta, sequences: dict[str, int]) -> tuple[int, int, float, float, float]:
    sequence = sequences.setdefault(meta.get("sequence", ""), len(sequences))
    psnr = meta.get("psnr_input", math.nan)
    return (
        meta["frame"],
        sequence,
        _or_nan(meta.get("qp")),
        math.inf if psnr is None else psnr,
        _or_nan(meta.get("ssim_input")),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
