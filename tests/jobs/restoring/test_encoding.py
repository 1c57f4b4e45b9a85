"""The rate of restored files, which x264 and x265 write into their streams."""

import re
from pathlib import Path

import pytest

from jobs.core.report import Report
from jobs.media.h264 import encode
from jobs.media.sample_clip import scene
from jobs.networks import starters
from jobs.restoring.network import Model
from jobs.restoring.video import restore_video
from jobs.specs.test import Codec
from tests.jobs.restoring.test_video import MessageLog


def setting(path: Path, name: str) -> float:
    """A number in the encoder's own note."""
    found = re.search(rb"%s=([\d.]+)" % name.encode(), path.read_bytes())
    assert found
    return float(found[1])


def restored(input: Path, codec: Codec) -> tuple[Path, list[str]]:
    """The file and the messages of a restoration by a network that takes the QP."""
    model, log = Model(*starters.load("fast"), 2**30), MessageLog()
    out = input.with_name("restored.mkv")
    assert restore_video(input, out, model, Report(log), codec)
    return out, log.messages


@pytest.mark.parametrize(
    ("codec", "qp", "rate"),
    [
        *(("h264", qp, rate) for qp, rate in ((16, 1), (25, 1), (29, 4), (40, 10))),
        *(("hevc", qp, rate) for qp, rate in ((16, 1), (25, 2), (29, 6), (40, 12))),
    ],
)
def test_the_milder_the_damage_of_the_input_the_finer_is_the_output(
    codec: Codec, qp: int, rate: float, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.h264"
    encode(scene(2, 64, 48, 1), clip, {"qp": str(qp)})  # The QP of the first frame is 3 less.
    out, messages = restored(clip, codec)
    assert setting(out, "crf") == rate
    assert any("hardly damaged" in text for text in messages) == (qp < 25)


@pytest.mark.parametrize(("qp", "refinement"), [(25, 7), (26, 2)])
def test_h264_is_thorough_where_it_cannot_be_finer_and_else_quick(
    qp: int, refinement: int, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.h264"
    encode(scene(2, 64, 48, 1), clip, {"qp": str(qp)})
    out, _ = restored(clip, "h264")
    assert setting(out, "subme") == refinement  # Of the presets medium and veryfast.


def test_the_lossless_codec_costs_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "clip.h264"
    encode(scene(2, 64, 48, 1), clip, {"qp": "16"})
    _, messages = restored(clip, "ffv1")
    assert not any("hardly damaged" in text for text in messages)


def test_the_rate_is_moderate_where_the_input_tells_no_qp(tmp_path: Path) -> None:
    clip = tmp_path / "clip.h264"
    encode(scene(2, 64, 48, 1), clip, {"qp": "18"})
    without_qp, _ = restored(clip, "hevc")
    out, _ = restored(without_qp.rename(tmp_path / "hevc.mkv"), "h264")
    assert setting(out, "crf") == 10
