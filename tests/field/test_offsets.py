"""Streams that begin late, early, or lose frames: probe and job advise what PSNR confirms."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.datasets.alignment import align
from jobs.specs import DatasetSpec
from tests.conftest import Clip
from tests.support.field_datasets import end_of, field_file, metas_of, probe_source, run_dataset

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")

PICTURES = "testsrc2=s=176x144:r=30000/1001:d=1.6,format=yuv420p"
"""The 48 pictures that the field files were made from."""


def ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, capture_output=True, check=True, timeout=120)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    path = tmp_path / "originals.y4m"
    ffmpeg("-f", "lavfi", "-i", PICTURES, path)
    return path


def stream_of(
    originals: Path, select: str, extension: str = ".264", codec: str = "libx264"
) -> Path:
    """A stream of the originals for which FFmpeg's expression is true."""
    path = originals.with_name(f"stream{extension}")
    timing = ("-fps_mode", "passthrough", "-c:v", codec, "-qp", "30")
    ffmpeg("-i", originals, "-vf", f"select='{select}'", *timing, path)
    return path


def source_of(stream: Path, originals: Path, offset: int = 0) -> dict[str, Any]:
    return {"stream": str(stream), "originals": str(originals), "offset": offset}


def check_offset(stream: Path, originals: Path, offset: int, home: Path) -> None:
    """Check that probe and job advise this offset, and that it gives a dataset of true pairs."""
    answer = probe_source(source_of(stream, originals))
    assert answer["alignment"]["best"] == offset
    advice = f"match their originals at offset {offset:+d}, not 0"
    assert any(advice in text for text in answer["warnings"])
    assert advice in str(end_of(run_dataset(home, source_of(stream, originals)))["reason"])

    assert probe_source(source_of(stream, originals, offset))["warnings"] == []
    folder = run_dataset(home, source_of(stream, originals, offset))
    assert end_of(folder)["state"] == "done", end_of(folder)["reason"]
    assert min(row["psnr_input"] for row in metas_of(folder)) > 30


@needs_ffmpeg
def test_a_stream_that_begins_at_an_open_gop(originals: Path, tmp_path: Path) -> None:
    check_offset(field_file("joined_late.264"), originals, 12, tmp_path / "home")


@needs_ffmpeg
@pytest.mark.parametrize(
    ("late", "extension", "codec"),
    [(9, ".264", "libx264"), (17, ".mp4", "libx265"), (30, ".mkv", "libx264")],
)
def test_a_stream_that_begins_late(
    late: int, extension: str, codec: str, originals: Path, tmp_path: Path
) -> None:
    stream = stream_of(originals, f"gte(n,{late})", extension, codec)
    check_offset(stream, originals, late, tmp_path / "home")


@needs_ffmpeg
def test_originals_that_begin_late(originals: Path, tmp_path: Path) -> None:
    stream = stream_of(originals, "1")
    late = tmp_path / "late.y4m"
    ffmpeg("-i", originals, "-vf", "select='gte(n,14)',setpts=N/FRAME_RATE/TB", late)
    check_offset(stream, late, -14, tmp_path / "home")


@needs_ffmpeg
def test_a_stream_of_variable_frame_rate(originals: Path, tmp_path: Path) -> None:
    stream = stream_of(originals, "not(between(n,20,22))+gt(n,40)", ".mkv")
    (warning,) = [
        text
        for text in probe_source(source_of(stream, originals))["warnings"]
        if "From frame" in text
    ]
    assert "From frame 20, the stream is ahead of its originals: 3 frames were dropped" in warning
    reason = str(end_of(run_dataset(tmp_path / "home", source_of(stream, originals)))["reason"])
    assert warning in reason
    assert "set the last frame to 19" in reason
    folder = run_dataset(tmp_path / "home", source_of(stream, originals), frames={"last": 19})
    assert min(row["psnr_input"] for row in metas_of(folder)) > 30


@needs_ffmpeg
def test_a_truncated_stream_is_not_said_to_be_shifted(originals: Path, tmp_path: Path) -> None:
    stream = stream_of(originals, "lt(n,30)")
    reason = str(end_of(run_dataset(tmp_path / "home", source_of(stream, originals)))["reason"])
    assert "The stream may be truncated" in reason
    assert "set the last frame to 29" in reason
    assert "offset" not in reason


def test_black_frames_at_the_end_do_not_suggest_an_offset() -> None:
    random = np.random.default_rng(0)
    scene = [random.uniform(0, 255, 900).astype(np.float32) for _ in range(40)]
    black = [np.zeros(900, np.float32)] * 20
    noisy = [levels + random.normal(0, 4, 900).astype(np.float32) for levels in scene]
    alignment = align([*noisy, *black], [*scene, *black])
    assert (alignment.best, alignment.jumps, alignment.advice(0)) == (0, [], [])


def test_a_slow_pan_is_followed_beyond_the_first_offsets() -> None:
    ramp = np.linspace(0, 40, 900, dtype=np.float32)
    pan = [ramp + number for number in range(80)]
    alignment = align(pan[20:], pan)
    assert (alignment.best, alignment.at_edge) == (20, False)


def test_an_offset_at_the_edge_is_called_one() -> None:
    ramp = np.linspace(0, 40, 900, dtype=np.float32)
    pan = [ramp + 0.1 * number for number in range(400)]
    alignment = align(pan[300:306], pan[:60])
    assert alignment.at_edge
    assert "may be further off" in alignment.advice(0)[0]


@pytest.mark.parametrize("offset", [-100_000, 9, 100_000])
def test_every_offset_is_accepted(offset: int) -> None:
    spec = {"name": "d", "source": source_of(Path("/a.264"), Path("/b"), offset)}
    assert DatasetSpec.model_validate(spec).source.model_dump()["offset"] == offset


def test_an_offset_without_pairs_is_refused(clip: tuple[Path, Path], tmp_path: Path) -> None:
    for offset in (24, -24):
        source = source_of(*clip, offset)
        reason = f"The offset {offset} leaves no pair: clip.h264 has 24 frames"
        assert str(end_of(run_dataset(tmp_path, source))["reason"]).startswith(reason)
        assert probe_source(source)["problems"][0].startswith(reason)


def test_nothing_is_advised_where_nothing_could_be_compared() -> None:
    levels = [np.zeros(900, np.float32)] * 5
    other_size = [np.zeros(700, np.float32)] * 6
    for inputs, targets in ((levels, []), ([], levels), ([], []), (levels, other_size)):
        assert align(inputs, targets).advice(0) == []


def test_an_offset_beyond_what_was_read_is_not_called_wrong() -> None:
    random = np.random.default_rng(0)
    scene = [random.uniform(0, 255, 900).astype(np.float32) for _ in range(40)]
    (advice,) = align(scene[:20], scene[20:], given=600).advice(600)
    assert advice.startswith("Offset 600 was not compared")


def test_wrong_sizes_are_reported_before_wrong_numbers(clip: Clip, tmp_path: Path) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    for number in range(5):
        Image.new("RGB", (64, 48)).save(originals / f"{number}.png")
    end = end_of(run_dataset(tmp_path / "home", source_of(clip[0], originals)))
    assert end["state"] == "error"
    assert "are 64×48, but their frames" in str(end["reason"])
