"""Imports: what exports wrote, what other programs wrote, and what is no dataset.

The libraries of other formats are imported where they are used: all processes of a test run import
this file.
"""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import lmdb
import numpy as np
import pytest
from PIL import Image

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.limits import max_image_bytes
from jobs.core.paths import READABLE
from jobs.datasets import sources
from jobs.datasets.sources import Sequence
from jobs.datasets.store import PairReader
from jobs.interchange.exporting import export, member
from jobs.interchange.pairs import from_job
from jobs.media.images import Picture
from jobs.specs.export import DatasetFormat as Format
from jobs.specs.sources import ImportSource
from tests.support.field_datasets import end_of, probe_source, run_dataset
from tests.support.readers import SPLITS, datum_class


def found(path: Path) -> list[Sequence]:
    return sources.find_pairs(
        ImportSource(pairs=str(path)), lambda name, why: None, lambda: True, lambda: True
    )


def splits(path: Path) -> dict[str, int]:
    return {sequence.split: sequence.inputs.count for sequence in found(path)}


def pictures(sequence: Sequence) -> list[tuple[Picture, Picture]]:
    pairs = sources.pairs(sequence, None, lambda text: None)
    return [(pair.load_input(), pair.load_original()) for pair in pairs]


def all_pictures(path: Path) -> list[tuple[Picture, Picture]]:
    return [pair for sequence in found(path) for pair in pictures(sequence)]


def picture(number: int, gray: bool = False) -> Picture:
    shape = (16, 24) if gray else (16, 24, 3)
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(number)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("format", get_args(Format))
def test_export_and_import_keep_pictures_splits_and_qps(
    format: Format, dataset: JobFolder, tmp_path: Path
) -> None:
    export(from_job(dataset), tmp_path / "out", format, "clip", lambda progress: None)
    imported = run_dataset(tmp_path, {"kind": "import", "pairs": str(tmp_path / "out")})
    assert end_of(imported)["state"] == "done", end_of(imported)["reason"]
    for split in SPLITS:
        before, after = PairReader(dataset.store(split)), PairReader(imported.store(split))
        assert len(before) == len(after) > 0
        for number in range(len(before)):
            for a, b in zip(before[number], after[number], strict=True):
                assert np.array_equal(a, b)
            maps = before.qp(number), after.qp(number)
            if format in ("basicsr", "caffe"):
                assert maps[1] is None
            else:
                assert maps[0] is not None
                assert maps[1] is not None
                assert np.array_equal(maps[0], maps[1])
        before.close()
        after.close()


def test_names_of_other_programs_say_split_and_side(tmp_path: Path) -> None:
    for name, count in (
        ("DIV2K_train_HR", 3),
        ("DIV2K_train_LR_x1", 3),
        ("DIV2K_valid_HR", 2),
        ("DIV2K_valid_LR_x1", 2),
        ("benchmark/testing/gt", 1),
        ("benchmark/testing/lq", 1),
        ("previews", 1),
    ):
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / name / f"{number}.png").write_bytes(png(number))
    assert splits(tmp_path) == {"train": 3, "val": 2, "test": 1}


def write_lmdb(path: Path, values: dict[str, bytes], meta_info: bool) -> None:
    path.mkdir(parents=True)
    with (
        lmdb.open(str(path), map_size=2**20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key.encode(), value)
    if meta_info:
        lines = (f"{key}.png (16,24,3) 1\n" for key in values)
        (path / "meta_info.txt").write_text("".join(lines))


def test_lmdb_of_basicsr_without_splits_is_divided_as_the_spec_says(tmp_path: Path) -> None:
    for name, shift in (("lq.lmdb", 0), ("gt.lmdb", 100)):
        values = {f"0801_s{n:03d}": png(n + shift) for n in range(20)}
        write_lmdb(tmp_path / "set" / name, values, meta_info=True)
    folder = run_dataset(tmp_path, {"kind": "import", "pairs": str(tmp_path / "set")})
    assert end_of(folder)["summary"]["pairs"] == {"train": 18, "val": 2}
    (sequence,) = found(tmp_path / "set")
    assert sequence.inputs.name(7) == "0801_s007"
    assert np.array_equal(pictures(sequence)[7][1], picture(107))


@pytest.mark.parametrize(("shape", "value"), [((2, 1), 30), ((1, 2), 60)])
def test_qps_that_do_not_belong_to_the_picture_are_refused(
    shape: tuple[int, int], value: int, tmp_path: Path
) -> None:
    for side in ("input", "target", "qp_map"):
        (tmp_path / "set" / side).mkdir(parents=True)
        (tmp_path / "set" / side / "0.png").write_bytes(png(0))  # Of 24x16, two macroblocks.
    Image.fromarray(np.full(shape, value, np.uint8)).save(tmp_path / "set" / "qp_map" / "0.png")
    folder = run_dataset(tmp_path, {"kind": "import", "pairs": str(tmp_path / "set")})
    assert "0.png has no QPs of a picture of 24×16" in end_of(folder)["reason"]
    assert "2×1 pixels with values up to 51" in end_of(folder)["reason"]


def test_a_negative_size_in_a_tar_archive_is_an_error(tmp_path: Path) -> None:
    info = tarfile.TarInfo("0.json")
    info.size = -512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    parts = [member(f"0.{side}.png", png(0)) for side in ("input", "target")]
    (tmp_path / "a.tar").write_bytes(b"".join([*parts, bytes(header), bytes(1024)]))
    with pytest.raises(JobError, match="negative size"):
        found(tmp_path / "a.tar")


def test_a_linked_folder_outside_of_the_data_roots_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("set/input", "set/target", "private/val/input", "private/val/target"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "0.png").write_bytes(png(0))
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "private")
    monkeypatch.setenv(READABLE, json.dumps([str(tmp_path / "set")]))
    assert splits(tmp_path / "set") == {"": 1}


@pytest.mark.parametrize("encoding", ["none", "gray", "png", "jpg"])
def test_datums_of_caffe_and_digits(encoding: str, tmp_path: Path) -> None:
    Datum, gray = datum_class(), encoding == "gray"
    shape = {"channels": 1 if gray else 3, "height": 16, "width": 24}
    for name in ("features", "labels"):
        values = {}
        for number in range(3):
            pixels, file = picture(number, gray), io.BytesIO()
            if encoding in ("png", "jpg"):
                Image.fromarray(pixels).save(file, "PNG" if encoding == "png" else "JPEG")
                datum = Datum(**shape, data=file.getvalue(), encoded=True)
            else:  # As DIGITS: planes, blue first.
                planes = pixels[None] if gray else pixels.transpose(2, 0, 1)[::-1]
                datum = Datum(**shape, data=planes.tobytes())
            values[f"{number:09d}"] = datum.SerializeToString()
        write_lmdb(tmp_path / "job" / "train_db" / name, values, meta_info=False)
    (sequence,) = found(tmp_path / "job")
    for number, (input, target) in enumerate(pictures(sequence)):
        difference = np.abs(input.squeeze().astype(int) - picture(number, gray))
        assert difference.max() == 0 if encoding != "jpg" else difference.mean() < 60
        assert np.array_equal(input, target)


def test_shards_of_webdataset(tmp_path: Path) -> None:
    import webdataset

    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"train-{shard:06d}.tar")) as writer:
            for number in range(2):
                sample = {"lq.png": picture(number), "gt.png": picture(number + 1), "txt": "a text"}
                writer.write({"__key__": f"clips/{shard}-{number}", **sample})
    (sequence,) = found(tmp_path)
    pairs = pictures(sequence)
    assert len(pairs) == 4
    assert np.array_equal(pairs[3][0], picture(1))
    assert np.array_equal(pairs[3][1], picture(2))
    (one,) = found(tmp_path / "train-000001.tar")
    assert one.inputs.name(0) == "clips_1-0.input"


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({name: datasets.Image() for name in ("lq", "gt")})
    for split, count in (("train", 3), ("validation", 2)):
        rows = {
            "lq": [Image.fromarray(picture(number)) for number in range(count)],
            "gt": [Image.fromarray(picture(number + 9)) for number in range(count)],
        }
        table = datasets.Dataset.from_dict(rows, features=features)
        (tmp_path / "data").mkdir(exist_ok=True)
        table.to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    assert splits(tmp_path) == {"train": 3, "val": 2}
    input, target = pictures(found(tmp_path)[1])[1]
    assert np.array_equal(input, picture(1))
    assert np.array_equal(target, picture(10))


def test_probe_shows_the_first_pair(dataset: JobFolder, tmp_path: Path) -> None:
    export(from_job(dataset), tmp_path / "out", "webdataset", "clip", lambda progress: None)
    answer = probe_source({"kind": "import", "pairs": str(tmp_path / "out")})
    assert not answer["problems"]
    assert [sequence["split"] for sequence in answer["sequences"]] == list(SPLITS)
    assert answer["input_size"] == answer["target_size"] == "96x64"
    assert answer["first"]["psnr"] > 15


def empty(path: Path) -> None:
    (path / "train").mkdir()


def one_side(path: Path) -> None:
    write_lmdb(path / "train" / "gt.lmdb", {"0": png(0)}, meta_info=True)


def other_keys(path: Path) -> None:
    write_lmdb(path / "train" / "gt.lmdb", {"0": png(0), "1": png(1)}, meta_info=True)
    write_lmdb(path / "train" / "lq.lmdb", {"0": png(0), "7": png(1)}, meta_info=True)


def no_key(path: Path) -> None:
    for name in ("gt.lmdb", "lq.lmdb"):
        write_lmdb(path / name, {"0": png(0)}, meta_info=True)
        (path / name / "meta_info.txt").write_text("0.png (16,24,3) 1\n1.png (16,24,3) 1\n")


def no_datum(path: Path) -> None:
    for name in ("features", "labels"):
        write_lmdb(path / name, {"0": b"\xff\xff"}, meta_info=False)


def no_picture(path: Path) -> None:
    for name in ("gt.lmdb", "lq.lmdb"):
        write_lmdb(path / name, {"0": b"text"}, meta_info=True)


def no_lmdb(path: Path) -> None:
    for name in ("gt", "lq"):
        (path / name).mkdir()
        (path / name / "data.mdb").write_bytes(b"nothing" * 5000)


def two_formats(path: Path) -> None:
    one_side(path)
    (path / "train-0.tar").write_bytes(bytes(1024))


def two_sides(path: Path) -> None:
    one_side(path)
    write_lmdb(path / "train" / "HR.lmdb", {"0": png(0)}, meta_info=True)


def cut_tar(path: Path) -> None:
    (path / "train-0.tar").write_bytes(member("0.input.png", png(0)) + b"no header" * 100)


def gzipped_tar(path: Path) -> None:
    with tarfile.open(path / "train-0.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("0.input.png"))


def lone_input(path: Path) -> None:
    (path / "train-0.tar").write_bytes(member("0.input.png", png(0)) + bytes(1024))


def huge_member(path: Path) -> None:
    info = tarfile.TarInfo("0.input.png")
    info.size = max_image_bytes() + 1
    (path / "train-0.tar").write_bytes(info.tobuf())


def no_parquet(path: Path) -> None:
    (path / "train.parquet").write_bytes(b"PAR1 nothing PAR1")


def other_columns(path: Path) -> None:
    import datasets

    datasets.Dataset.from_dict({"text": ["a"]}).to_parquet(path / "train.parquet")


def paths_in_columns(path: Path) -> None:
    import datasets

    rows = {"input": ["/a.png"], "target": ["/b.png"]}
    datasets.Dataset.from_dict(rows).to_parquet(path / "train.parquet")


def only_test(path: Path) -> None:
    for name in ("lq", "gt"):
        (path / "test" / name).mkdir(parents=True)
        (path / "test" / name / "0.png").write_bytes(png(0))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (empty, "is not a dataset in a known format. Give a folder with train"),
        (one_side, "has a split train that has no input among train/gt.lmdb"),
        (other_keys, "have different keys: 7 is in one of them only"),
        (no_key, "1 is in meta_info.txt, but not in data.mdb"),
        (no_datum, "0 is not a Datum of Caffe"),
        (no_picture, "0 cannot be read as an image"),
        (no_lmdb, "cannot be read as LMDB"),
        (two_formats, "contains tar shards and LMDB. Give a folder with one of them"),
        (two_sides, "that has two targets"),
        (cut_tar, "cannot be read as a tar archive"),
        (gzipped_tar, "Unpack a compressed archive"),
        (lone_input, "has no target of 0. Call the files of a pair 0.input.png and 0.target.png"),
        (huge_member, "(--max-image-mb)"),
        (no_parquet, "cannot be read as Parquet"),
        (other_columns, "has no column for the input among text"),
        (paths_in_columns, "row 0, column input has no image file, but a path"),
        (only_test, "has no training split, only test"),
    ],
)
def test_what_is_no_dataset_is_said(
    make: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(JobError) as error:
        all_pictures(tmp_path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("format", ["basicsr", "webdataset", "parquet"])
def test_links_out_of_the_data_roots_open_nothing(
    format: Format, dataset: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    export(from_job(dataset), outside, format, "clip", lambda progress: None)
    shutil.copytree(outside, inside)
    monkeypatch.setenv(READABLE, f'["{inside}"]')
    for path in inside.rglob("*"):
        if path.suffix in (".mdb", ".tar", ".parquet"):
            assert all_pictures(inside)
            path.unlink()
            os.symlink(outside / path.relative_to(inside), path)
            with pytest.raises(JobError, match=r"leads? out of the folders"):
                all_pictures(inside)
            break


def test_sizes_must_match(tmp_path: Path) -> None:
    large = io.BytesIO()
    Image.new("RGB", (48, 32)).save(large, "PNG")
    for name, value in (("lq.lmdb", png(0)), ("gt.lmdb", large.getvalue())):
        values: dict[str, Any] = {str(number): value for number in range(3)}
        write_lmdb(tmp_path / "set" / name, values, meta_info=True)
    folder = run_dataset(tmp_path, {"kind": "import", "pairs": str(tmp_path / "set")})
    assert "0 is 48×32, but 0 is 24×16" in end_of(folder)["reason"]
