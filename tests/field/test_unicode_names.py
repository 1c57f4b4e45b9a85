"""Names in the two forms of Unicode: composed (NFC), and decomposed as macOS writes them (NFD)."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.files import paths
from jobs.core.manifest import entries
from jobs.inference.many import Images
from jobs.specs import ImagesTest
from tests.support.field_datasets import end_of, field_file, metas_of, probe_source, run_dataset

NAMES = ["Café", "Übung", "\uac00", "plain"]
FORMS = ["NFC", "NFD"]


def in_form(form: Any, name: str) -> str:
    return unicodedata.normalize(form, name)


def make_images(folder: Path, form: str, extension: str) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        picture = Image.new("RGB", (16, 16), (60 * number, 90, 120))
        picture.save(folder / in_form(form, f"{name}{extension}"))
    return folder


def test_the_field_files_are_paired(tmp_path: Path) -> None:
    source = {
        "kind": "folders",
        "input": str(field_file("nfd_in")),
        "target": str(field_file("nfd_gt")),
    }
    assert (probe_source(source)["problems"], probe_source(source)["skipped"]) == ([], [])
    assert len(metas_of(run_dataset(tmp_path, source))) == 4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pairing", ["stem", "order"])
def test_folders_are_paired_in_all_forms(form: str, pairing: str, tmp_path: Path) -> None:
    inputs = make_images(tmp_path / "in", form, ".png")
    targets = make_images(tmp_path / "gt", "NFD" if form == "NFC" else "NFC", ".bmp")
    source = {"kind": "folders", "input": str(inputs), "target": str(targets), "pairing": pairing}
    folder = run_dataset(tmp_path, source)
    assert end_of(folder)["state"] == "done", end_of(folder)["reason"]
    assert [row["psnr_input"] for row in metas_of(folder)] == [None] * 4, "equal pictures"


def test_tests_of_many_images_find_their_ground_truth(tmp_path: Path) -> None:
    inputs = make_images(tmp_path / "in", "NFC", ".png")
    targets = make_images(tmp_path / "gt", "NFD", ".bmp")
    spec = ImagesTest.model_validate(
        {"model": "abcdefgh", "kind": "images", "images": [str(inputs)], "targets": str(targets)}
    )
    images = Images(spec, 3, qps=False)
    assert all(images.row(number)["target"] for number in range(len(images)))


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_finds_its_originals_next_to_it(form: str, tmp_path: Path) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    (tmp_path / in_form(form, "Café.264")).write_bytes(b"x")
    (tmp_path / in_form(other, "Café")).mkdir()
    (entry,) = entries(tmp_path)
    assert entry.originals == str(tmp_path / in_form(other, "Café"))


@pytest.mark.parametrize("form", FORMS)
def test_a_typed_path_finds_a_file_in_the_other_form(form: str, tmp_path: Path) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    folder = make_images(tmp_path / in_form(form, "Ä"), form, ".png")
    typed = tmp_path / in_form(other, "Ä") / in_form(other, "Café.png")
    assert paths.file(str(typed), (tmp_path, tmp_path)) == folder / in_form(form, "Café.png")
    listing = paths.browse(str(typed)[:-4], (tmp_path, tmp_path))
    assert [entry["name"] for entry in listing["entries"]] == [in_form(form, "Café.png")]
    with pytest.raises(paths.FileProblem, match="does not exist"):
        paths.file(str(typed.with_name("cafè.png")), (tmp_path, tmp_path))
