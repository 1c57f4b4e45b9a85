"""Counts of frames: probe, job and restoration agree with `ffprobe -count_frames`."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from jobs.core.events import EventLog, NoLog, read
from jobs.core.report import Report
from jobs.core.suffixes import VIDEOS
from jobs.media.video import decode_frames, facts, open_video
from jobs.networks.snapshots import Kind
from jobs.restoring.network import Model
from jobs.restoring.video import restore_video
from jobs.restoring.video_in import VideoIn
from jobs.specs.networks import Network
from tests.support.exported import TINY
from tests.support.field_datasets import (
    FIELD,
    end_of,
    field_file,
    metas_of,
    probe_source,
    run_dataset,
)

pytestmark = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")

EMPTY = "sps_subsetsps_bothVUI.264"
"""No frame of it can be decoded: an error."""
HIDDEN = ("trimmed_silent.mp4", "paff.264", "paff_single.264", "joined_late.264")
"""Files with more packets than frames."""


def ffprobe_count(path: Path) -> int:
    command = ["ffprobe", "-v", "quiet", "-count_frames", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", f"file:{path}"]
    return int(
        subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=120
        ).stdout.split()[0]
    )


def ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, capture_output=True, check=True, timeout=120)


def test_every_real_stream_has_the_frames_that_ffprobe_counts(media: Path) -> None:
    folders = (media / "h264", media / "clips", FIELD)
    videos = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(VIDEOS) and path.suffix != ".yuv" and path.name != EMPTY
    ]
    assert len(videos) > 20
    counts = {path.name: counts_of(path) for path in videos}
    assert {name: found for name, found in counts.items() if len(set(found.values())) > 1} == {}


def counts_of(path: Path) -> dict[str, int]:
    """The frames of a video as ffprobe, the probe, a dataset job and a restoration count them."""
    job = sum(1 for _ in decode_frames(path))
    with open_video(path) as container:
        video = VideoIn(container, path.name, Report(NoLog()), False, False, (8, 10))
        video.first()
        restored = sum(len(batch.shots) for batch in video.batches(lambda width, height: 1))
    if "can have only one size" in " ".join(video.why.split()):
        restored = job  # It ends where the size changes, and says so.
    probe = facts(path).frames
    return {"ffprobe": ffprobe_count(path), "probe": probe, "job": job, "restored": restored}


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_frames_that_a_cut_hides_do_not_count(codec: str, extension: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / f"whole{extension}", tmp_path / f"cut{extension}"
    source = "testsrc2=s=64x48:r=25:d=2,format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", codec, "-g", "12", "-bf", "2", whole)
    ffmpeg("-ss", "0.9", "-i", whole, "-map", "0:v", "-c", "copy", cut)
    assert facts(cut).frames == ffprobe_count(cut)
    assert facts(cut).counted


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("name", ["paff.264", "paff_single.264"])
def test_two_fields_are_one_frame_in_every_container(
    name: str, extension: str, tmp_path: Path
) -> None:
    path = tmp_path / f"fields{extension}"
    ffmpeg("-fflags", "+genpts", "-r", "25", "-i", field_file(name), "-c", "copy", path)
    assert facts(path).frames == ffprobe_count(path)


@pytest.mark.parametrize("name", HIDDEN)
def test_probe_job_and_restoration_agree(name: str, tmp_path: Path) -> None:
    video = field_file(name)
    frames = ffprobe_count(video)
    source = {"kind": "stream", "stream": str(video), "originals": str(video)}
    answer = probe_source(source)
    assert (answer["frames"], answer["originals"], answer["counted"]) == (frames, frames, True)
    assert answer["warnings"] == []

    folder = run_dataset(tmp_path, source, validation={"method": "blocks", "percent": 20})
    assert end_of(folder)["state"] == "done", end_of(folder)["reason"]
    assert len(metas_of(folder)) == frames
    (*_, progress) = read(folder.events, types=frozenset({"progress"}))
    assert (progress["done"], progress["total"]) == (frames, frames)

    network: Network = TypeAdapter(Network).validate_python(TINY)
    model = Model(Kind(network, "rgb", 3).restorer(), 3, 10**9)
    with EventLog(tmp_path / "events.jsonl") as log:
        restored = restore_video(video, tmp_path / "out.mkv", model, Report(log))
    assert (restored.frames, facts(restored.out).frames) == (frames, frames)


@pytest.mark.parametrize("name", [*HIDDEN, "plain.mp4", "wrap.ts"])
def test_an_estimate_is_called_one(name: str) -> None:
    video = field_file(name)
    turns = iter([True] * 14)
    estimated = facts(video, go_on=lambda: next(turns, False))
    assert not estimated.counted
    assert estimated.frames == pytest.approx(ffprobe_count(video), abs=8)


def test_a_warning_says_which_count_is_an_estimate(
    monkeypatch: pytest.MonkeyPatch, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(clip[1], tmp_path / "originals")
    (tmp_path / "originals" / "000023.bmp.gz").unlink()
    monkeypatch.setattr("jobs.datasets.probe.COUNT_SECONDS", 0)
    source: dict[str, Any] = {"stream": str(clip[0]), "originals": str(tmp_path / "originals")}
    answer = probe_source(source)
    assert answer["counted"] is False
    assert "clip.h264 has about 24 frames" in answer["warnings"][0]


def test_a_missing_original_is_found_before_the_first_pair(
    clip: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.datasets.sources.STREAM_SECONDS", 60.0)
    shutil.copytree(clip[1], tmp_path / "originals")
    (tmp_path / "originals" / "000023.bmp.gz").unlink()
    source = {"stream": str(clip[0]), "originals": str(tmp_path / "originals")}
    folder = run_dataset(tmp_path, source)
    assert "only 23 originals" in str(end_of(folder)["reason"])
    assert not folder.store("train").exists()
    folder = run_dataset(tmp_path, source, frames={"last": 22})
    assert end_of(folder)["state"] == "done"
