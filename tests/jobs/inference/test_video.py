"""Tests of a video: restored into a file, with what a browser shows, and measured frame by frame."""

import json
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from jobs.core import folder as folders
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.media.images import list_images, read_image
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import VideoTest
from tests.jobs.inference.test_image import dataset, messages_of, model, reason_of
from tests.jobs.inference.test_many import summary
from tests.jobs.restoring.test_video import make_video

__all__ = ["dataset", "model"]

Clip = tuple[Path, Path]


def run_test(model: JobFolder, video: Path, **fields: Any) -> JobFolder:
    spec = VideoTest.model_validate({"model": model.id, "video": str(video), **fields})
    test = folders.create(model.path.parent.parent, "test", spec)
    run_worker(str(test.path))
    return test


def file_of(test: JobFolder, url: str) -> Path:
    return test.path / url.removeprefix(test.url(""))


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def scores(test: JobFolder) -> list[dict[str, float]]:
    return [event["scalars"] for event in read(test.events, types=frozenset({"scalars"}))]


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_a_stream_becomes_a_file_and_two_that_browsers_play(
    codec: str, model: JobFolder, clip: Clip
) -> None:
    test = run_test(model, clip[0], codec=codec)
    told = summary(test)
    restored = file_of(test, told["file"])
    assert restored.name == {"h264": "restored.mp4", "ffv1": "restored.mkv"}[codec]
    assert (told["frames"], told["width"], told["height"], told["sound"]) == (24, 96, 64, False)
    assert told["bytes"] == restored.stat().st_size
    assert told["frames_per_second"] > 0
    shown = {name: file_of(test, url) for name, url in told["shown"].items()}
    assert [frames_in(path) for path in (restored, shown["input"], shown["output"])] == [24, 24, 24]
    assert shown["output"].suffix == ".mp4"
    times = json.loads(shown["times"].read_text())
    assert (len(times), times) == (24, sorted(times))
    assert "psnr_output" not in told


def test_each_frame_is_measured_against_its_original(model: JobFolder, clip: Clip) -> None:
    test = run_test(model, clip[0], originals=str(clip[1]))
    told, found = summary(test), scores(test)
    assert (told["measured"], told["note"], len(found)) == (24, "", 24)
    assert told["psnr_output"] == pytest.approx(sum(one["output/psnr"] for one in found) / 24)
    worst = min(
        range(24), key=lambda number: found[number]["output/psnr"] - found[number]["input/psnr"]
    )
    assert told["worst"]["frame"] == worst
    first, original = next(iter(decode(clip[0]))), read_image(list_images(clip[1])[0])
    by_scikit = peak_signal_noise_ratio(original, first)  # In RGB: that is what this network sees.
    assert found[0]["input/psnr"] == pytest.approx(by_scikit, abs=0.01)


def test_as_many_frames_as_there_are_originals_are_measured_and_that_is_said(
    model: JobFolder, clip: Clip, tmp_path: Path
) -> None:
    for path in list_images(clip[1])[:5]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    told = summary(run_test(model, clip[0], originals=str(tmp_path)))
    assert (told["measured"], told["frames"]) == (5, 24)
    assert "has 24 frames, but" in told["note"]
    assert "the first 5 are compared" in told["note"]


def test_originals_of_another_size_are_refused_before_anything_is_restored(
    model: JobFolder, clip: Clip, tmp_path: Path
) -> None:
    Image.new("RGB", (96, 80)).save(tmp_path / "0.png")
    test = run_test(model, clip[0], originals=str(tmp_path))
    assert "is 96x80, but" in reason_of(test)
    assert not (test.path / "results").exists()


def test_a_video_that_breaks_in_the_middle_is_kept_as_far_as_it_goes(
    model: JobFolder, tmp_path: Path
) -> None:
    whole, cut = make_video(tmp_path / "whole.mkv", 60, sound=True), tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    test = run_test(model, cut, originals=str(whole))
    reason, told = reason_of(test), summary(test)
    kept = frames_in(file_of(test, told["file"]))
    assert 10 < kept < 60
    assert reason.startswith(f"cut.mkv breaks off behind frame {kept - 1}, ")
    assert reason.endswith("What was restored is kept.")
    assert (told["frames"], told["measured"], told["sound"]) == (kept, kept, True)
    assert frames_in(file_of(test, told["shown"]["input"])) == kept


def test_what_is_no_video_is_refused_by_its_name(model: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("no video")
    test = run_test(model, tmp_path / "words.mp4")
    assert "words.mp4 is no video that can be read" in reason_of(test)
    assert messages_of(test) == []
