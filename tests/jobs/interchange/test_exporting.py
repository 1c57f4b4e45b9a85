"""Exports of datasets, as readers that know nothing of Clearframe read them."""

import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.datasets.store import PairReader
from jobs.interchange import exporting, parquet
from jobs.interchange.exporting import export
from jobs.interchange.lmdb_writer import LmdbWriter
from jobs.interchange.pairs import ExportedPair, Pairs, from_job
from jobs.specs.export import DatasetFormat as Format
from tests.conftest import Clip
from tests.support.disk import small_disk
from tests.support.field_datasets import run_dataset
from tests.support.readers import READERS, SPLITS

FORMATS = get_args(Format)


@pytest.fixture(scope="module", params=["png", "none", "jpeg"])
def encoded(
    request: pytest.FixtureRequest,
    clip: Clip,
    dataset: JobFolder,
    tmp_path_factory: pytest.TempPathFactory,
) -> JobFolder:
    """A dataset in each of the encodings. The one with raw values has gray patches."""
    if request.param == "png":
        return dataset
    raw = request.param == "none"
    return run_dataset(
        tmp_path_factory.mktemp("home"),
        {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])},
        test={"method": "blocks"},
        input_encoding=request.param,
        channels="grayscale" if raw else "none",
        patches={"size": 40 if raw else None},
    )


def exported(dataset: JobFolder, target: Path, format: Format) -> Path:
    export(from_job(dataset), target, format, "clip", lambda progress: None)
    return target


@pytest.mark.parametrize("format", FORMATS)
def test_other_programs_read_the_same_pictures_and_splits(
    format: Format, encoded: JobFolder, tmp_path: Path
) -> None:
    folder = exported(encoded, tmp_path / "out", format)
    for split in SPLITS:
        reader = PairReader(encoded.store(split))
        read = list(READERS[format](folder, split))
        assert len(read) == len(reader) > 0
        for number, pair in enumerate(read):
            for ours, theirs in zip(reader[number], pair, strict=True):
                assert np.array_equal(ours.squeeze(), theirs)
        reader.close()


def test_csv_of_folders_names_all_pictures(encoded: JobFolder, tmp_path: Path) -> None:
    folder = exported(encoded, tmp_path / "out", "png")
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    paths = {row[role] for row in rows for role in ("input", "target")}
    assert {row["split"] for row in rows} == set(SPLITS)
    assert paths == {
        str(path.relative_to(folder))
        for path in folder.rglob("*.png")
        if path.parent.name != "qp_map"
    }
    # Maps of patches that begin within a macroblock are left out.
    patches = [row for row in rows if row["height"] == "40"]
    maps = len(list(folder.rglob("qp_map/*.png")))
    assert 0 < maps < len(rows) if patches else maps == len(rows)


@pytest.mark.parametrize("format", ["webdataset", "parquet"])
def test_shards_have_a_limited_size(
    format: Format, dataset: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SHARD_BYTES", 60_000)
    monkeypatch.setattr(parquet, "SHARD_BYTES", 60_000)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 2)
    folder = exported(dataset, tmp_path / "out", format)
    shards = [path for path in folder.rglob("*train-0*") if path.stat().st_size]
    assert len(shards) > 1
    reader = PairReader(dataset.store("train"))
    for number, pair in enumerate(READERS[format](folder, "train")):
        assert np.array_equal(reader[number][0].squeeze(), pair[0])
    assert number == len(reader) - 1
    reader.close()


@pytest.mark.parametrize("format", FORMATS)
def test_failed_export_leaves_nothing(format: Format, dataset: JobFolder, tmp_path: Path) -> None:
    whole = from_job(dataset)

    def cut() -> Iterator[ExportedPair]:
        yield next(whole.pairs)
        raise JobError("The rest is missing.")

    with pytest.raises(JobError, match="The rest is missing"):
        export(Pairs(9, cut()), tmp_path / "out", format, "clip", lambda progress: None)
    assert not list(tmp_path.iterdir())


def test_taken_folders_are_refused(dataset: JobFolder, tmp_path: Path) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    file.write_text("mine")
    (full / "notes.txt").write_text("mine")
    with pytest.raises(JobError, match=r"full is not empty\. Give a new or an empty folder"):
        exported(dataset, full, "png")
    with pytest.raises(JobError, match="file is not a folder"):
        exported(dataset, file, "png")
    assert (full / "notes.txt").read_text() == file.read_text() == "mine"
    (full / "notes.txt").unlink()
    # A killed process has left a draft.
    (tmp_path / ".full.part" / "train").mkdir(parents=True)
    assert sorted(path.name for path in exported(dataset, full, "png").iterdir()) == [
        "pairs.csv",
        *sorted(SPLITS),
    ]


def test_two_exports_to_one_folder_do_not_mix(dataset: JobFolder, tmp_path: Path) -> None:
    pairs = from_job(dataset)

    def during() -> Iterator[ExportedPair]:
        with pytest.raises(JobError, match="Another process writes"):
            exported(dataset, tmp_path / "out", "png")
        yield from pairs.pairs

    export(Pairs(pairs.total, during()), tmp_path / "out", "png", "clip", lambda progress: None)
    assert list(READERS["png"](tmp_path / "out", "val"))


@pytest.mark.parametrize("format", FORMATS)
def test_full_disk_is_said_in_words(format: Format, dataset: JobFolder, tmp_path: Path) -> None:
    pairs = from_job(dataset)
    first = next(pairs.pairs)

    def many() -> Iterator[ExportedPair]:
        for number in range(2000):
            yield ExportedPair("train", number, first.input, bytes(20_000), first.facts, b"")

    with (
        small_disk(tmp_path, 8) as disk,
        pytest.raises(JobError, match=r"disk is full.*nothing of the export was kept"),
    ):
        export(Pairs(2000, many()), disk / "out", format, "clip", lambda progress: None)
    shutil.rmtree(disk, ignore_errors=True)


def test_missing_pyarrow_is_said(
    dataset: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(JobError, match=r"pip install 'clearframe\[parquet\]'"):
        exported(dataset, tmp_path / "out", "parquet")


def test_lmdb_refuses_a_key_before_the_last(tmp_path: Path) -> None:
    """LMDB itself would leave the value out, and say so in a number that is easy to overlook."""
    writer = LmdbWriter(tmp_path / "values")
    writer.add(b"999999", b"a")
    writer.add(b"1000000", b"b")
    with pytest.raises(JobError, match="1000000 is not behind the last one"):
        writer.finish()
