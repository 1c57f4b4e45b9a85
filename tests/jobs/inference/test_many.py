"""Tests of the test jobs for many images and for a split."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import EventLog, last_state, read
from jobs.core.folder import JobFolder
from jobs.core.view import empty, fold
from jobs.media.images import list_images, read_image
from jobs.run import main as run_worker
from jobs.specs import ImagesTest, SplitTest
from tests.jobs.inference.test_image import dataset, model, reason_of

__all__ = ["dataset", "model"]

Clip = tuple[Path, Path]


def create(model: JobFolder, **fields: Any) -> JobFolder:
    spec = (
        ImagesTest.model_validate({"model": model.id, **fields})
        if "images" in fields
        else SplitTest(model=model.id, **fields)
    )
    return folders.create(model.path.parent.parent, "test", spec)


def run(test: JobFolder) -> JobFolder:
    run_worker(str(test.path))
    return test


def rows(test: JobFolder) -> list[dict[str, Any]]:
    return [
        row for event in read(test.events, types=frozenset({"results"})) for row in event["rows"]
    ]


def summary(test: JobFolder) -> dict[str, Any]:
    view = empty()
    for event in read(test.events):
        view = fold(view, event)
    return dict(view["summary"])


@pytest.fixture
def images(clip: Clip, tmp_path: Path) -> tuple[Path, Path]:
    """Four images and their ground truth, with the same names and other extensions."""
    damaged, true = tmp_path / "damaged", tmp_path / "true"
    damaged.mkdir()
    true.mkdir()
    for number, original in enumerate(list_images(clip[1])[:4]):
        picture = Image.fromarray(read_image(original))
        picture.save(damaged / f"{number}.jpg", quality=20)
        picture.save(true / f"{number}.png")
    return damaged, true


def test_all_pairs_of_a_split_are_measured(model: JobFolder, dataset: JobFolder) -> None:
    test = run(create(model))
    logged = rows(test)
    assert [row["pair"] for row in logged] == list(range(len(logged)))
    assert len(logged) == summary(dataset)["pairs"]["val"]
    facts = summary(test)
    assert (facts["images"], facts["failed"], facts["snapshot"]) == (len(logged), 0, "epoch-0002")
    assert facts["mean"]["psnr_output"] == pytest.approx(
        np.mean([row["psnr_output"] for row in logged])
    )
    assert logged[0]["gain"] == pytest.approx(logged[0]["psnr_output"] - logged[0]["psnr_input"])
    for side in ("input", "output"):  # Of one stream.
        deviation = np.std([row[f"psnr_{side}"] for row in logged])
        assert facts["fluctuation"][side] == pytest.approx(deviation)


def test_split_without_pairs_is_rejected(model: JobFolder) -> None:
    assert "no pairs in this split." in reason_of(run(create(model, split="test")))


def test_images_that_fail_are_logged_and_skipped(
    model: JobFolder, images: tuple[Path, Path]
) -> None:
    damaged, true = images
    content = (damaged / "1.jpg").read_bytes()
    (damaged / "1.jpg").write_bytes(content[: len(content) // 2])
    (true / "2.png").unlink()
    Image.new("RGB", (96, 66)).save(true / "3.png")
    test = run(create(model, images=[str(damaged)], targets=str(true)))
    by_name = {row["name"]: row for row in rows(test)}
    assert list(by_name) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert by_name["0.jpg"]["psnr_input"] > 20
    assert "1.jpg cannot be read as an image" in by_name["1.jpg"]["why"]
    assert by_name["2.jpg"]["why"] == f"{true} has no image named 2."
    assert by_name["3.jpg"]["why"].startswith("The ground truth is 96×66, but the image is 96×64.")
    assert [summary(test)[name] for name in ("images", "failed", "measured")] == [1, 3, 1]


def test_images_without_ground_truth_are_restored_but_not_measured(
    model: JobFolder, images: tuple[Path, Path]
) -> None:
    test = run(create(model, images=[str(images[0] / "3.jpg"), str(images[1])]))
    assert [row["name"] for row in rows(test)] == [
        "damaged/3.jpg",
        "true/0.png",
        "true/1.png",
        "true/2.png",
        "true/3.png",
    ]
    assert (rows(test)[0]["psnr_output"], rows(test)[0]["gain"], summary(test)["gain"]) == (
        None,
        None,
        None,
    )


def test_image_that_equals_its_ground_truth_has_no_gain(
    model: JobFolder, images: tuple[Path, Path]
) -> None:
    test = run(create(model, images=[str(images[1] / "0.png")], targets=str(images[1])))
    assert rows(test)[0]["psnr_input"] is None
    assert (summary(test)["measured"], summary(test)["better"]) == (1, 0)


def test_job_without_restored_images_fails_with_the_first_error(
    model: JobFolder, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no image")
    reason = reason_of(run(create(model, images=[str(tmp_path)])))
    assert reason.startswith("The image could not be restored: text.png")


def test_two_ground_truths_for_one_image_are_rejected(
    model: JobFolder, images: tuple[Path, Path]
) -> None:
    Image.new("RGB", (96, 64)).save(images[1] / "0.bmp")
    reason = reason_of(run(create(model, images=[str(images[0])], targets=str(images[1]))))
    assert "has both 0.bmp and 0.png for the same image" in reason


def test_resumed_job_skips_measured_images_and_retries_failed_ones(
    model: JobFolder, images: tuple[Path, Path]
) -> None:
    content = (images[0] / "2.jpg").read_bytes()
    (images[0] / "2.jpg").write_bytes(b"")
    test = run(create(model, images=[str(images[0])], targets=str(images[1])))
    assert summary(test)["failed"] == 1
    (images[0] / "2.jpg").write_bytes(content)
    before = len(rows(test))
    with EventLog(test.events) as log:
        log.append("state", state="waiting", reason="")
    run(test)
    assert [row["name"] for row in rows(test)[before:]] == ["2.jpg"]
    assert (summary(test)["images"], summary(test)["failed"]) == (4, 0)
    state = last_state(test.events)
    assert state is not None
    assert state["state"] == "done"
