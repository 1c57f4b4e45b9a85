"""Tests of the test job for a video: restored file, copies for browsers, and scores."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from skimage import metrics as reference

from jobs.core import folder as folders
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.inference.video import frame_times
from jobs.media import vmaf
from jobs.media.images import list_images, read_image, to_gray
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


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_stream_becomes_a_file_and_two_copies_for_browsers(
    codec: str, model: JobFolder, clip: Clip
) -> None:
    test = run_test(model, clip[0], codec=codec)
    facts = summary(test)
    restored = file_of(test, facts["file"])
    assert (
        restored.name
        == {"h264": "restored.mp4", "hevc": "restored.mp4", "ffv1": "restored.mkv"}[codec]
    )
    assert (facts["frames"], facts["width"], facts["height"], facts["sound"]) == (24, 96, 64, False)
    assert facts["bytes"] == restored.stat().st_size
    assert facts["frames_per_second"] > 0
    shown = {name: file_of(test, url) for name, url in facts["shown"].items()}
    assert [frames_in(path) for path in (restored, shown["input"], shown["output"])] == [24, 24, 24]
    assert shown["output"].suffix == ".mp4"
    times = json.loads(shown["times"].read_text())
    assert (len(times), times) == (24, sorted(times))
    assert "psnr_output" not in facts


def test_frames_are_measured_against_their_originals(model: JobFolder, clip: Clip) -> None:
    test = run_test(model, clip[0], originals=str(clip[1]))
    facts, frames = summary(test), scores(test)
    assert (facts["measured"], facts["note"], len(frames)) == (24, "", 24)
    assert facts["psnr_output"] == pytest.approx(sum(frame["output/psnr"] for frame in frames) / 24)
    for side in ("input", "output"):
        deviation = np.std([frame[f"{side}/psnr"] for frame in frames])
        assert facts["fluctuation"][side] == pytest.approx(deviation)
    assert ("vmaf" in facts) == (vmaf.program() is not None)
    worst = min(
        range(24), key=lambda number: frames[number]["output/psnr"] - frames[number]["input/psnr"]
    )
    assert facts["worst"]["frame"] == worst
    first, original = next(iter(decode(clip[0]))), read_image(list_images(clip[1])[0])
    # In RGB, the input of this network.
    by_scikit = reference.peak_signal_noise_ratio(original, first)
    assert frames[0]["input/psnr"] == pytest.approx(by_scikit, abs=0.01)
    truth = file_of(test, facts["shown"]["truth"])
    times = json.loads(file_of(test, facts["shown"]["times"]).read_text())
    assert frame_times(truth) == pytest.approx(times, abs=1e-4)
    copied = to_gray(next(iter(decode(truth))), "BT.601")  # The copy has its colours in 4:2:0.
    assert reference.peak_signal_noise_ratio(to_gray(original, "BT.601"), copied) > 35


def test_only_frames_with_originals_are_measured_with_a_note(
    model: JobFolder, clip: Clip, tmp_path: Path
) -> None:
    for path in list_images(clip[1])[:5]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = summary(run_test(model, clip[0], originals=str(tmp_path)))
    assert (facts["measured"], facts["frames"]) == (5, 24)
    assert "has 24 frames, but" in facts["note"]
    assert "the first 5 are compared" in facts["note"]


def test_originals_of_another_size_are_rejected_before_the_restoration(
    model: JobFolder, clip: Clip, tmp_path: Path
) -> None:
    Image.new("RGB", (96, 80)).save(tmp_path / "0.png")
    test = run_test(model, clip[0], originals=str(tmp_path))
    assert "is 96×80, but" in reason_of(test)
    assert not (test.path / "results").exists()


def test_truncated_video_is_restored_and_measured_as_far_as_it_goes(
    model: JobFolder, tmp_path: Path
) -> None:
    whole, cut = make_video(tmp_path / "whole.mkv", 60, sound=True), tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    test = run_test(model, cut, originals=str(whole))
    reason, facts = reason_of(test), summary(test)
    frames = frames_in(file_of(test, facts["file"]))
    assert 10 < frames < 60
    assert reason.startswith(f"cut.mkv is truncated: it ends after frame {frames - 1}, ")
    assert reason.endswith("The finished part is kept.")
    assert (facts["frames"], facts["measured"], facts["sound"]) == (frames, frames, True)
    assert frames_in(file_of(test, facts["shown"]["input"])) == frames


def test_file_that_is_not_a_video_is_rejected(model: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    test = run_test(model, tmp_path / "text.mp4")
    assert "text.mp4 cannot be read as a video" in reason_of(test)
    assert messages_of(test) == []
