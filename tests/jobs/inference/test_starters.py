"""Tests of test jobs that use a starter instead of a model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.validation_errors import Invalid, validate
from jobs.core import folder as folders
from jobs.core.events import NoLog
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.media.images import read_image
from jobs.media.video import decode, decode_frames, to_picture
from jobs.networks import starters
from jobs.restoring.network import Model
from jobs.restoring.planes import planes_of
from jobs.restoring.video import restore_video
from jobs.run import main as run_worker
from jobs.specs import TESTS
from tests.conftest import Clip
from tests.jobs.inference.test_many import summary

MODEL = "01abcdefgh"
ONE = "Give exactly one of these: the id of a model, or a starter."
INPUTS: dict[str, dict[str, Any]] = {
    "image": {"image": "/a.png"},
    "images": {"images": ["/a.png"]},
    "video": {"video": "/a.mp4"},
}


def run_test(home: Path, kind: str, **fields: Any) -> JobFolder:
    spec = validate(TESTS[kind], {"starter": "fast", **fields})
    test = folders.create(home, "test", spec)
    run_worker(str(test.path))
    return test


@pytest.mark.parametrize("kind", INPUTS)
def test_a_test_has_a_model_or_a_starter(kind: str) -> None:
    def problems(**fields: object) -> dict[str, str]:
        with pytest.raises(Invalid) as refused:
            validate(TESTS[kind], {**INPUTS[kind], **fields})
        return refused.value.problems

    assert validate(TESTS[kind], {**INPUTS[kind], "starter": "fast"}).model is None
    assert validate(TESTS[kind], {**INPUTS[kind], "model": MODEL}).starter is None
    assert problems() == {"starter": ONE}
    assert problems(model=MODEL, starter="fast") == {"starter": ONE}
    assert problems(starter="slow")["starter"].startswith("Must be one of 'fast'")
    assert problems(starter="fast", snapshot="last") == {
        "snapshot": "A starter has no snapshots: leave this out."
    }


def test_a_starter_has_no_pairs() -> None:
    for kind, fields, problem in (
        (
            "image",
            {"pair": 0},
            {"image": "A starter has no validation pairs: give an image or a stream."},
        ),
        ("split", {}, {"starter": "A starter has no dataset to split: give a model."}),
    ):
        with pytest.raises(Invalid) as refused:
            validate(TESTS[kind], {"starter": "fast", **fields})
        assert refused.value.problems == problem


def test_a_video_is_restored_as_by_the_command_with_its_qps(
    clip: Clip, home: Path, tmp_path: Path
) -> None:
    test = run_test(home, "video", video=str(clip[0]), originals=str(clip[1]), codec="ffv1")
    facts = summary(test)
    assert (facts["snapshot"], facts["measured"]) == ("fast", 24)
    assert facts["psnr_output"] > facts["psnr_input"] + 0.02
    expected = tmp_path / "expected.mkv"
    model = Model(*starters.load("fast"), 2**30)
    restore_video(clip[0], expected, model, Report(NoLog()), "ffv1")
    for ours, theirs in zip(
        decode_frames(test.path / "results" / "restored.mkv"), decode_frames(expected), strict=True
    ):
        assert all(map(np.array_equal, planes_of(ours), planes_of(theirs)))


def test_an_image_keeps_its_colours_and_shows_the_layers(
    clip: Clip, home: Path, tmp_path: Path
) -> None:
    Image.fromarray(next(decode(clip[0]))).save(tmp_path / "image.png")
    facts = summary(run_test(home, "image", image=str(tmp_path / "image.png")))
    assert (facts["snapshot"], len(facts["layers"]) > 4) == ("fast", True)
    before, after = (
        read_image(next((home / "jobs").glob("*")) / "results" / f"{name}.png").astype(int)
        for name in ("input", "output")
    )
    assert before.shape == after.shape == (64, 96, 3)
    # The change of Y is added to R, G and B alike.
    change = after - before
    within = ((after > 0) & (after < 255)).all(2)
    assert np.ptp(change, axis=2)[within].max() <= 1


def test_the_qps_of_a_frame_of_a_stream_are_used(clip: Clip, home: Path, tmp_path: Path) -> None:
    frame = next(decode_frames(clip[0]))
    Image.fromarray(to_picture(frame)).save(tmp_path / "image.png")
    truth = str(min(clip[1].iterdir()))
    known = run_test(home, "image", stream=str(clip[0]), target=truth, layers=False)
    blind = run_test(home, "image", image=str(tmp_path / "image.png"), target=truth, layers=False)
    assert summary(known)["psnr_input"] == summary(blind)["psnr_input"]
    assert summary(known)["psnr_output"] > summary(blind)["psnr_output"] + 0.02


def test_many_images_are_restored(clip: Clip, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "decoded"
    folder.mkdir()
    originals = sorted(clip[1].iterdir())[:3]
    for path, picture in zip(originals, decode(clip[0]), strict=False):
        Image.fromarray(picture).save(folder / path.name.replace(".bmp.gz", ".png"))
    facts = summary(run_test(home, "images", images=[str(folder)], targets=str(clip[1])))
    assert (facts["snapshot"], facts["measured"], facts["failed"]) == ("fast", 3, 0)
