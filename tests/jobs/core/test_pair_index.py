"""The index that sorts pairs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.core import pair_index
from jobs.core.folder import JobFolder
from jobs.core.stored import opened
from jobs.datasets.pairing import Record
from jobs.datasets.store import PairReader, writing

METAS: list[dict[str, Any]] = [
    {"frame": 7, "sequence": "foreman", "qp": 37, "psnr_input": 30.5, "ssim_input": 0.9},
    {"frame": 5, "sequence": "akiyo", "qp": None, "psnr_input": None, "ssim_input": None},
    {"frame": 6, "sequence": "foreman", "qp": 22, "psnr_input": 29.0, "ssim_input": 0.95},
    {"frame": 5, "sequence": "foreman", "qp": 37, "psnr_input": 41.0, "ssim_input": 0.9},
]


def make_store(path: Path, metas: list[dict[str, Any]]) -> Path:
    with writing(path) as writer:
        for meta in metas:
            writer.add([Record(b"in", b"out", {"item": 0, **meta})])
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = make_store(tmp_path / "train.lmdb", METAS)
    pair_index.write(path)
    return path


@pytest.mark.parametrize(
    ("key", "descending", "numbers"),
    [
        ("number", False, [0, 1, 2, 3]),
        ("number", True, [3, 2, 1, 0]),
        ("frame", False, [1, 3, 2, 0]),
        ("frame", True, [0, 2, 1, 3]),
        ("qp", False, [2, 0, 3, 1]),
        ("qp", True, [0, 3, 2, 1]),
        ("psnr", False, [2, 0, 3, 1]),
        ("psnr", True, [1, 3, 0, 2]),
        ("ssim", False, [0, 3, 2, 1]),
        ("ssim", True, [2, 0, 3, 1]),
    ],
)
def test_equal_values_keep_their_order_and_unknown_values_come_last(
    key: str, descending: bool, numbers: list[int], store: Path
) -> None:
    assert pair_index.order(store, key, descending).tolist() == numbers


def test_sequences_are_numbered_in_order_of_appearance(store: Path) -> None:
    assert pair_index.read(store)["sequence"].tolist() == [0, 1, 0, 0]
    assert math.isinf(pair_index.read(store)["psnr"][1])


def test_pairs_without_scores_are_indexed(tmp_path: Path) -> None:
    store = make_store(tmp_path / "val.lmdb", [{"frame": 1}, {"frame": 0}])
    assert pair_index.order(store, "psnr", True).tolist() == [0, 1]
    assert pair_index.sortable_keys(store) == ["number", "frame"]
    assert (tmp_path / "val.npy").is_file()


def test_an_empty_split_has_an_empty_order(tmp_path: Path) -> None:
    store = make_store(tmp_path / "test.lmdb", [])
    assert pair_index.order(store, "psnr", False).tolist() == []


def test_pairs_are_sorted_by_the_index_alone_without_their_store(tmp_path: Path) -> None:
    rows = np.zeros(1_000, pair_index.ROW)
    rows["psnr"] = np.random.default_rng(0).normal(30, 4, len(rows))
    np.save(tmp_path / "train.npy", rows)
    order = pair_index.order(tmp_path / "train.lmdb", "psnr", True)
    assert np.array_equal(rows["psnr"][order], np.sort(rows["psnr"])[::-1])


def test_a_finished_dataset_has_its_indexes(
    clip: tuple[Path, Path], make_dataset: Callable[..., JobFolder]
) -> None:
    folder = make_dataset(clip)
    for split in ("train", "val"):
        reader = PairReader(folder.store(split))
        psnrs = [reader.meta(number)["psnr_input"] for number in range(len(reader))]
        reader.close()
        assert (folder.path / f"{split}.npy").is_file()
        assert (
            pair_index.order(folder.store(split), "psnr", False).tolist()
            == np.argsort(psnrs, kind="stable").tolist()
        )


def test_stored_pairs_are_read_undecoded(store: Path) -> None:
    with opened(store) as pairs:
        assert len(pairs) == 4
        assert [meta["frame"] for meta in pairs.metas(1, 2)] == [5, 6]
        assert list(pairs.metas(4)) == []
        assert (pairs.value("input", 3), pairs.value("target", 3), pairs.meta(3)) == (
            b"in",
            b"out",
            {"item": 0, **METAS[3]},
        )
        with pytest.raises(IndexError):
            pairs.meta(4)
