"""Links in the folders of users: those that lead out of the server's data roots open nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.paths import READABLE, open_file
from jobs.datasets.sources import find_pairs
from jobs.specs.sources import SequencesSource
from tests.conftest import Clip
from tests.support.server import Server

Source = dict[str, Any]
OUTSIDE = "leads out of the folders"
SMALL = {"name": "model", "epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


def linked(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def copied(clip: Clip, folder: Path) -> Clip:
    """The clip and its originals in another folder."""
    shutil.copytree(clip[0].parent, folder)
    return folder / clip[0].name, folder / clip[1].name


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    """A data root with a clip and its originals."""
    return copied(clip, tmp_path / "root")[0].parent


@pytest.fixture
def private(tmp_path: Path, clip: Clip) -> Clip:
    """A clip and its originals next to the root, which no client may see."""
    return copied(clip, tmp_path / "private")


@pytest.fixture
def guarded(home: Path, root: Path, free_port: int) -> Iterator[Server]:
    """A server that may read the root only. The root's path is a link itself."""
    with Server(home, [linked(root.parent / "linked-root", root)], free_port) as server:
        yield server


def link_in_inputs(root: Path, private: Clip, clip: Clip) -> Source:
    shutil.copytree(clip[1], root / "i")
    replace_first_image(root / "i", private)
    return {"kind": "folders", "input": str(root / "i"), "target": str(root / clip[1].name)}


def link_in_targets(root: Path, private: Clip, clip: Clip) -> Source:
    source = link_in_inputs(root, private, clip)
    return {**source, "input": source["target"], "target": source["input"]}


def link_in_originals(root: Path, private: Clip, clip: Clip) -> Source:
    source = stream(root, clip)
    replace_first_image(Path(source["originals"]), private)
    return source


def link_among_compressed(root: Path, private: Clip, clip: Clip) -> Source:
    source = link_in_originals(root, private, clip)
    return {"kind": "compress", "originals": source["originals"], "qp": [37]}


def link_among_streams(root: Path, private: Clip, clip: Clip) -> Source:
    linked(root / "streams" / "0.h264", private[0])
    return {**stream(root, clip), "stream": str(root / "streams")}


def link_in_a_folder_of_a_manifest(root: Path, private: Clip, clip: Clip) -> Source:
    source = stream(root, clip)
    replace_first_image(Path(source["originals"]), private)
    table = root / "manifest.csv"
    table.write_text(f"stream,originals\n{source['stream']},{source['originals']}\n")
    return {"kind": "sequences", "manifest": str(table)}


def stream(root: Path, clip: Clip) -> Source:
    names = (clip[0].name, clip[1].name)
    return {"kind": "stream", "stream": str(root / names[0]), "originals": str(root / names[1])}


def replace_first_image(folder: Path, private: Clip) -> None:
    first = min(folder.iterdir())
    first.unlink()
    linked(first, private[1] / first.name)


@pytest.mark.parametrize(
    "make",
    [
        link_in_inputs,
        link_in_targets,
        link_in_originals,
        link_among_compressed,
        link_among_streams,
        link_in_a_folder_of_a_manifest,
    ],
)
def test_neither_probe_nor_job_opens_a_linked_private_file(
    make: Callable[[Path, Clip, Clip], Source],
    guarded: Server,
    root: Path,
    private: Clip,
    clip: Clip,
) -> None:
    source = make(root, private, clip)
    status, answer = guarded.call("/probe", {"name": "links", "source": source})
    assert status == 200, answer
    assert "first" not in answer
    assert any(OUTSIDE in problem for problem in answer["problems"]), answer["problems"]
    job = guarded.wait_for_end(guarded.create("/datasets", {"name": "links", "source": source}))
    assert job["state"] == "error"
    assert OUTSIDE in job["reason"]


def test_paths_through_a_linked_folder_are_refused(
    guarded: Server, root: Path, private: Clip, clip: Clip
) -> None:
    linked(root / "away", private[0].parent)
    (root / "manifest").mkdir()
    linked(root / "manifest" / "sequence", private[0].parent)
    outside = stream(root / "away", clip)
    for source in (
        outside,
        {**stream(root, clip), "originals": outside["originals"]},
        {"kind": "sequences", "manifest": str(root / "manifest")},
    ):
        for path in ("/datasets", "/probe"):
            status, answer = guarded.call(path, {"name": "links", "source": source})
            assert status == 422, answer


def test_links_inside_the_roots_and_streams_of_jobs_are_read(
    guarded: Server, root: Path, clip: Clip
) -> None:
    for path in (root / clip[1].name).iterdir():
        linked(root / "i" / path.name, path)
    linked(root / "streams" / "0.h264", root / clip[0].name)
    originals = str(root / clip[1].name)
    for source in (
        {"kind": "folders", "input": str(root / "i"), "target": originals},
        {"kind": "stream", "stream": str(root / "streams"), "originals": str(root / "i")},
        {"kind": "compress", "originals": str(root / "i"), "qp": [37]},
    ):
        body = {"name": "inside", "source": source}
        status, answer = guarded.call("/probe", body)
        assert (status, answer["problems"]) == (200, []), answer
        assert answer["first"]
        guarded.wait(guarded.create("/datasets", body), "done")


def test_tests_open_no_linked_private_file(
    guarded: Server,
    root: Path,
    private: Clip,
    clip: Clip,
    make_dataset: Callable[..., JobFolder],
    make_model: Callable[..., JobFolder],
) -> None:
    model = make_model(make_dataset(clip), **SMALL).id
    guarded.restart()
    guarded.wait(model, "done")
    link_in_inputs(root, private, clip)
    replaced = min((root / "i").iterdir())
    tests = f"/models/{model}/tests"
    many = {"kind": "images", "images": [str(root / "i")], "targets": str(root / clip[1].name)}
    assert_only_linked_failed(guarded, guarded.create(tests, many))
    swapped = {**many, "images": [many["targets"]], "targets": str(root / "i")}
    assert_only_linked_failed(guarded, guarded.create(tests, swapped))
    video = {"kind": "video", "video": str(root / clip[0].name), "originals": str(root / "i")}
    job = guarded.wait_for_end(guarded.create(tests, video))
    assert (job["state"], OUTSIDE in job["reason"]) == ("error", True), job["reason"]
    linked(root / "clip.h264.264", private[0])
    for body in (
        {"kind": "image", "image": str(replaced)},
        {"kind": "image", "image": str(min(private[1].iterdir()))},
        {"kind": "image", "stream": str(root / "clip.h264.264")},
        {"kind": "video", "video": str(root / "clip.h264.264")},
    ):
        status, answer = guarded.call(tests, body)
        assert status == 422, answer


def assert_only_linked_failed(server: Server, test: str) -> None:
    """The test of many images has restored all but the first, and says why."""
    server.wait(test, "done")
    answer = server.call(f"/jobs/{test}/results")[1]
    assert [row["index"] for row in answer["failures"]] == [0], answer
    assert OUTSIDE in answer["failures"][0]["why"]
    assert answer["total"]


def test_a_file_replaced_by_a_link_after_the_check_is_not_opened(
    root: Path, private: Clip, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = stream(root, clip)
    entry = {key: checked[key] for key in ("stream", "originals")}
    source = SequencesSource.model_validate({"manifest": str(root), "entries": [entry]})
    Path(checked["stream"]).unlink()
    linked(Path(checked["stream"]), private[0])
    monkeypatch.setenv(READABLE, json.dumps([str(root)]))
    with pytest.raises(JobError, match=OUTSIDE):
        find_pairs(source, lambda name, why: None, lambda: True, lambda: True)
    monkeypatch.delenv(READABLE)
    assert find_pairs(source, lambda name, why: None, lambda: True, lambda: True), (
        "commands follow links"
    )


def test_a_folder_with_the_name_of_a_root_as_prefix_is_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READABLE, json.dumps([str(tmp_path / "root")]))
    (tmp_path / "root").mkdir()
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "a").write_bytes(b"private")
    with pytest.raises(JobError, match=OUTSIDE):
        open_file(linked(tmp_path / "root" / "a", tmp_path / "root2" / "a"))
