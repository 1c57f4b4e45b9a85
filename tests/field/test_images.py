"""Datasets, tests and restoration read an image alike: orientation, alpha, depth, colour space."""

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from jobs.core.errors import JobError
from jobs.core.events import EventLog
from jobs.core.report import Report
from jobs.inference.image import image_of
from jobs.media.images import read, read_header, read_image
from jobs.networks.snapshots import Kind
from jobs.restoring.images import restore_folder, restore_image
from jobs.restoring.network import Model
from jobs.specs.networks import Network
from tests.support.exported import TINY
from tests.support.field_datasets import (
    end_of,
    field_file,
    messages_of,
    metas_of,
    probe_source,
    run_dataset,
)

PICTURE = np.random.default_rng(5).integers(0, 256, (24, 32, 3), np.uint8)
ORIENTATION = 0x0112
Save = Callable[[Path], object]


def identity() -> Model:
    network: Network = TypeAdapter(Network).validate_python(TINY)
    return Model(Kind(network, "rgb", 3).restorer(), 3, 10**9)


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Report]:
    with EventLog(tmp_path / "events.jsonl") as log:
        yield Report(log)


def folders_of(inputs: Path, targets: Path) -> dict[str, Any]:
    return {"kind": "folders", "input": str(inputs), "target": str(targets)}


def save_rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(np.rot90(PICTURE).copy()).save(path, exif=exif, quality=95)


def save_deep(path: Path) -> None:
    deep = PICTURE[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(path)


def save_moving(path: Path) -> None:
    pictures = [Image.fromarray(np.roll(PICTURE, shift, 0)) for shift in (0, 5)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], lossless=True)


def save_opaque(path: Path) -> None:
    Image.fromarray(PICTURE).convert("RGBA").save(path, lossless=True)


@pytest.mark.parametrize(
    ("name", "save", "note"),
    [
        ("a.jpg", save_rotated, "was rotated or mirrored to its EXIF orientation"),
        ("a.webp", save_rotated, "was rotated or mirrored to its EXIF orientation"),
        ("a.tif", save_rotated, "was rotated or mirrored to its EXIF orientation"),
        ("a.png", save_deep, "has 16 bits per value, rounded to 8 for the network"),
        ("a.tif", save_deep, "has 16 bits per value, rounded to 8 for the network"),
        ("a.webp", save_moving, "has 2 pictures; only the first is used"),
        ("a.tif", save_moving, "has 2 pictures; only the first is used"),
        ("a.png", save_opaque, ""),
        ("a.webp", save_opaque, ""),
    ],
)
def test_datasets_tests_and_restoration_read_the_same_picture_and_say_so(
    name: str, save: Save, note: str, report: Report, tmp_path: Path
) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    paths = [inputs / f"{stem}{name}" for stem in "xyz"]
    for path in paths:
        save(path)
    picture = read_image(paths[0])
    notes: list[str] = []
    assert np.array_equal(image_of(str(paths[0]), notes.append).picture, picture)
    assert [text for text in notes if note in text] == notes
    assert len(notes) == bool(note)

    restored = restore_image(paths[0], tmp_path / "out.png", identity(), report)
    assert (restored.height, restored.width) == picture.shape[:2]
    with Image.open(restored.out) as out:
        assert out.size == (32, 24)
        assert ORIENTATION not in out.getexif(), "the orientation would apply twice"
    restore_folder(inputs, tmp_path / "out", identity(), report)

    folder = run_dataset(tmp_path / "home", folders_of(inputs, inputs))
    assert end_of(folder)["state"] == "done", end_of(folder)["reason"]
    assert {(row["height"], row["width"]) for row in metas_of(folder)} == {(24, 32)}
    said = messages_of(folder)
    assert said == ([f"3 images of {inputs}, such as x{name}: each {note}."] if note else [])
    assert probe_source(folders_of(inputs, inputs))["warnings"] == said


def save_mode(mode: str) -> Save:
    return lambda path: Image.fromarray(PICTURE).convert(mode).save(path)


def save_transparent(path: Path) -> None:
    alpha = np.full((24, 32, 1), 255, np.uint8)
    alpha[3, 4] = 254
    Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)).save(path, lossless=True)


@pytest.mark.parametrize(
    ("name", "save", "reason"),
    [
        ("a.jpg", save_mode("CMYK"), "a.jpg is in CMYK"),
        ("a.tif", save_mode("CMYK"), "a.tif is in CMYK"),
        ("a.tif", save_mode("LAB"), "a.tif is in LAB"),
        ("a.tif", save_mode("F"), "a.tif is in floating point numbers"),
        ("a.png", save_transparent, "a.png has transparent pixels"),
        ("a.webp", save_transparent, "a.webp has transparent pixels"),
    ],
)
def test_datasets_tests_and_restoration_refuse_the_same_images(
    name: str, save: Save, reason: str, report: Report, tmp_path: Path
) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    save(inputs / name)
    with pytest.raises(JobError, match=reason):
        image_of(str(inputs / name), lambda text: None)
    with pytest.raises(JobError, match=reason):
        restore_image(inputs / name, tmp_path / "out.png", identity(), report)
    folder = run_dataset(tmp_path / "home", folders_of(inputs, inputs))
    assert reason in str(end_of(folder)["reason"])
    assert any(reason in text for text in probe_source(folders_of(inputs, inputs))["problems"])


def test_photographs_that_are_stored_upside_down_are_paired_upright(tmp_path: Path) -> None:
    source = folders_of(field_file("exif_in"), field_file("exif_gt"))
    folder = run_dataset(tmp_path, source)
    assert min(row["psnr_input"] for row in metas_of(folder)) > 30
    assert len(messages_of(folder)) == 1
    assert probe_source(source)["first"]["psnr"] > 30


def test_opaque_alpha_is_accepted(tmp_path: Path) -> None:
    folder = run_dataset(tmp_path, folders_of(field_file("opaque_in"), field_file("opaque_gt")))
    assert [row["psnr_input"] for row in metas_of(folder)] == [None] * 4, "equal pictures"
    assert messages_of(folder) == []


def test_all_cmyk_files_are_listed_before_a_pair_is_made(tmp_path: Path) -> None:
    source = folders_of(field_file("cmyk_in"), field_file("cmyk_gt"))
    folder = run_dataset(tmp_path, source)
    problems = probe_source(source)["problems"]
    for number in range(4):
        assert f"a{number}.jpg is in CMYK" in str(end_of(folder)["reason"])
        assert any(f"a{number}.jpg is in CMYK" in text for text in problems)


def test_an_animation_is_restored_with_a_message(report: Report, tmp_path: Path) -> None:
    restore_image(field_file("animated.webp"), tmp_path / "out.png", identity(), report)
    assert "has 2 pictures; only the first is used" in (tmp_path / "events.jsonl").read_text()


# Misfits: all are listed, with folder, file and size.


def save_sized(path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "teal").save(path)


def test_all_misfits_of_two_folders_are_listed_at_once(tmp_path: Path) -> None:
    inputs, targets = tmp_path / "in", tmp_path / "gt"
    for folder in (inputs, targets):
        folder.mkdir()
        for number in range(9):
            save_sized(folder / f"{number}.png", (32, 24))
    save_sized(targets / "3.png", (32, 20))
    save_sized(inputs / "5.png", (16, 24))
    save_sized(inputs / "6.png", (16, 24))
    (inputs / "7.png").write_bytes(b"no picture")
    (targets / "8.png").write_bytes(b"")
    expected = [
        f"{targets}/3.png is 32×20, but {inputs}/3.png is 32×24. "
        "Remove the files, or choose the matching folder.",
        f"2 images of {targets} (5.png, 6.png) are 32×24, but their inputs in {inputs} are 16×24. "
        "Remove the files, or choose the matching folder.",
        f"{inputs}/7.png cannot be read as an image: it is not a BMP, PNG, TIFF, JPEG or WebP "
        "file. Replace or remove it.",
        f"{targets}/8.png cannot be read as an image: it is empty. Replace or remove it.",
    ]
    assert probe_source(folders_of(inputs, targets))["problems"] == expected
    job = run_dataset(tmp_path / "home", folders_of(inputs, targets))
    assert end_of(job)["reason"] == " ".join(expected)
    chosen = {"first": 0, "last": 2}
    assert probe_source(folders_of(inputs, targets), frames=chosen)["problems"] == []
    assert (
        end_of(run_dataset(tmp_path / "home", folders_of(inputs, targets), frames=chosen))["state"]
        == "done"
    )


def test_originals_to_compress_must_have_one_size(tmp_path: Path) -> None:
    for number in range(6):
        save_sized(tmp_path / f"{number}.png", (32, 24) if number % 3 else (32, 32))
    source = {"kind": "compress", "originals": str(tmp_path)}
    (problem,) = probe_source(source)["problems"]
    assert problem.startswith(f"4 images of {tmp_path} (1.png, 2.png, 4.png, 5.png) are 32×24, ")
    folder = run_dataset(tmp_path / "home", source)
    assert end_of(folder)["reason"] == problem


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif"])
def test_truncated_files_are_misfits(extension: str, tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(4):
        path = inputs / f"{number}{extension}"
        Image.fromarray(PICTURE).save(path)
        data = path.read_bytes()
        path.write_bytes(data if number % 2 else data[: len(data) * 2 // 3])
    problems = probe_source(folders_of(inputs, inputs))["problems"]
    assert len(problems) == 2
    for number, problem in zip((0, 2), problems, strict=True):
        assert problem.startswith(f"{inputs}/{number}{extension} cannot be read as an image")


@pytest.mark.parametrize("format", ["BMP", "PNG", "TIFF"])
def test_a_large_gzipped_image_is_no_misfit(format: str, tmp_path: Path) -> None:
    """Only the start of it is unpacked for the header."""
    noise = np.random.default_rng(6).integers(0, 256, (200, 320, 3), np.uint8)
    plain = io.BytesIO()
    Image.fromarray(noise).save(plain, format)
    inputs = tmp_path / "in"
    inputs.mkdir()
    for name in ("a.bmp.gz", "b.bmp.gz"):
        (inputs / name).write_bytes(gzip.compress(plain.getvalue()))
    assert probe_source(folders_of(inputs, inputs))["problems"] == []
    assert end_of(run_dataset(tmp_path / "home", folders_of(inputs, inputs)))["state"] == "done"


def test_misfits_of_separate_sources_are_listed(tmp_path: Path) -> None:
    for name in ("in", "gt", "val_in", "val_gt"):
        (tmp_path / name).mkdir()
        save_sized(tmp_path / name / "a.png", (32, 20 if name == "val_gt" else 24))
    validation = folders_of(tmp_path / "val_in", tmp_path / "val_gt")
    source = folders_of(tmp_path / "in", tmp_path / "gt")
    (problem,) = probe_source(source, validation={"method": "separate", "source": validation})[
        "problems"
    ]
    assert problem.startswith(f"{tmp_path}/val_gt/a.png is 32×20, but {tmp_path}/val_in/a.png")


def test_a_header_is_read_without_the_pixels(tmp_path: Path) -> None:
    """Only so 10,000 files take seconds. A PNG without its pixels shows that none are needed."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    Image.new("RGB", (3000, 2000)).save(inputs / "a.png")
    png = (inputs / "a.png").read_bytes()
    place = png.index(b"IDAT")
    (length,) = struct.unpack_from(">I", png, place - 4)
    (inputs / "a.png").write_bytes(png[: place + 4] + bytes(length) + png[place + 4 + length :])
    problems = probe_source(folders_of(inputs, inputs))["problems"]
    assert len(problems) == 1
    assert "a.png cannot be read" in problems[0], "the first pair shows it"


def test_an_uncompressed_tiff_in_ycbcr_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "ycbcr.tif"
    Image.new("YCbCr", (16, 16), (128, 128, 128)).save(path)
    assert read_header(path).width == 16
    assert read(path).picture.shape == (16, 16, 3)
