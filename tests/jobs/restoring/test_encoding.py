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


def rate_of(path: Path) -> float:
    """The CRF in the encoder's own note."""
    found = re.search(rb"crf=([\d.]+)", path.read_bytes())
    assert found
    return float(found[1])


def restored(input: Path, codec: Codec) -> tuple[Path, list[str]]:
    """The file and the messages of a restoration by a network that takes the QP."""
    model, log = Model(*starters.load("fast"), 2**30), MessageLog()
    out = input.with_name("restored.mkv")
    assert restore_video(input, out, model, Report(log), codec)
    return out, log.messages


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(("qp", "rate"), [(16, 1), (25, 2), (29, 6), (40, 12)])
def test_the_milder_the_damage_of_the_input_the_finer_is_the_output(
    codec: Codec, qp: int, rate: float, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.h264"
    encode(scene(2, 64, 48, 1), clip, {"qp": str(qp)})  # The QP of the first frame is 3 less.
    out, messages = restored(clip, codec)
    assert rate_of(out) == rate
    assert any("hardly damaged" in text for text in messages) == (qp < 25)


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
    assert rate_of(out) == 12
