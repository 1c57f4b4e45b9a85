"""Lists of images as Caffe and DIGITS have them: `path label` on each line."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.files.paths import browse
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.manifest import listed, without_label
from jobs.core.paths import READABLE
from tests.conftest import Clip
from tests.support.server import Server

SMALL = {"name": "model", "epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    """Ten originals in a folder, and two lists: in order, and from the last to the first."""
    root = tmp_path / "root"
    shutil.copytree(clip[1], root / "bmp files")
    names = sorted(path.name for path in (root / "bmp files").iterdir())[:10]
    inputs = [f"bmp files/{name} {number}" for number, name in enumerate(names)]
    (root / "inputs.txt").write_text("\ufeff" + "\r\n".join(inputs) + "\r\n\r\n")
    (root / "targets.lst").write_text(
        "\n".join(f"{root}/bmp files/{name}\t-1" for name in reversed(names))
    )
    return root


@pytest.fixture
def server(home: Path, root: Path, free_port: int) -> Iterator[Server]:
    with Server(home, [root], free_port) as server:
        yield server


def lists(root: Path, **fields: Any) -> dict[str, Any]:
    source = {"input": str(root / "inputs.txt"), "target": str(root / "targets.lst")}
    return {"kind": "folders", "pairing": "order", **source, **fields}


def test_lists_are_paired_line_by_line(server: Server, root: Path) -> None:
    body = {"name": "lists", "source": lists(root)}
    status, answer = server.call("/probe", body)
    assert (status, answer["problems"], answer["frames"]) == (200, [], 10), answer
    job = server.wait(server.create("/datasets", body), "done")
    names = sorted(path.name for path in (root / "bmp files").iterdir())[:10]
    pairs = [
        (row["frame"], row["original"])
        for split in ("train", "val")
        for row in server.call(f"/datasets/{job['id']}/pairs?split={split}")[1]["pairs"]
    ]
    assert sorted(pairs) == list(enumerate(reversed(names)))


def test_lists_by_stem_and_as_originals_of_compression(server: Server, root: Path) -> None:
    sources = (
        lists(root, pairing="stem"),
        {"kind": "compress", "originals": str(root / "inputs.txt"), "qp": [37]},
    )
    for source in sources:
        job = server.wait(server.create("/datasets", {"name": "d", "source": source}), "done")
        assert sum(job["summary"]["pairs"].values()) == 10


def test_a_test_of_many_takes_lists_and_lines_with_labels(
    server: Server,
    root: Path,
    clip: Clip,
    make_dataset: Callable[..., JobFolder],
    make_model: Callable[..., JobFolder],
) -> None:
    model = make_model(make_dataset(clip), **SMALL).id
    server.restart()
    server.wait(model, "done")
    first = min((root / "bmp files").iterdir())
    for images in (str(root / "inputs.txt"), f"{first} 3\n{root}/targets.lst"):
        body = {"kind": "images", "images": images, "targets": str(root / "targets.lst")}
        test = server.create(f"/models/{model}/tests", body)
        job = server.wait(test, "done")
        assert job["summary"]["failed"] == 0
        rows = server.call(f"/jobs/{test}/results")[1]["results"]
        assert len(rows) == 10 + (images != str(root / "inputs.txt"))
        assert {row["psnr_input"] for row in rows} == {None}  # Equal pictures: no finite PSNR.


def test_lists_can_be_chosen_in_the_dialog_of_paths(root: Path) -> None:
    kinds = {entry["name"]: entry["kind"] for entry in browse(f"{root}/", (root, root))["entries"]}
    assert kinds == {"bmp files": "folder", "inputs.txt": "list", "targets.lst": "list"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "bmp files/f.png 1\nnotes 2\n",
            "Line 1 of list.txt names bmp files/f.png, which is not a file",
        ),
        ("\nnotes 2\n", "Line 2 of list.txt, “notes 2”, is not the path of an image"),
        ("/etc/f.png 0", "Line 1 of list.txt names /etc/f.png, which leads out of the folders"),
        ("../../f.png", "leads out of the folders"),
        ("folder.png", "names folder.png, which is not a file"),
        ("f" * 300 + ".png", "Line 1 of list.txt, “fff.*”, is not a path that can be read"),
        ("f/" * 2000 + "f.png", "is not a path that can be read"),
        ("loop.png", "Line 1 of list.txt, “loop.png”, is not a path that can be read"),
        ("  \n", "list.txt lists no image"),
        ("\udcff", "list.txt is not a text in UTF-8"),
    ],
)
def test_errors_name_the_line(
    root: Path, text: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READABLE, json.dumps([str(root)]))
    (root / "folder.png").mkdir()
    (root / "loop.png").symlink_to("loop.png")
    (root / "list.txt").write_text(text, errors="surrogateescape")
    with pytest.raises(JobError, match=error):
        listed(root / "list.txt")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("a b/0001.png 12", "a b/0001.png"),
        ("a.bmp.gz\t-1 ", "a.bmp.gz"),
        ("a 3.JPG 0", "a 3.JPG"),
        ("frames 12", "frames 12"),
        ("a.png", "a.png"),
        ("a.png 1.5", "a.png 1.5"),
    ],
)
def test_a_number_after_an_image_is_a_label(line: str, path: str) -> None:
    assert without_label(line) == path
