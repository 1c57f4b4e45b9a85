"""Tests of `clearframe restore` as a process."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pydantic import TypeAdapter

from commands.restore import restore
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.media.images import read_image
from jobs.media.sample_clip import make_clip
from jobs.media.video import decode_frames
from jobs.networks.snapshots import Kind, save
from jobs.restoring.planes import planes_of
from jobs.specs.networks import Network
from tests.support.command_line import between_pipes, clearframe
from tests.support.exported import TINY, make_model
from tests.support.server import Server
from tests.support.waiting import next_line

Clip = tuple[Path, Path]


@pytest.fixture
def untrained(home: Path) -> JobFolder:
    """A model whose best snapshot is an identity."""
    folder = make_model(home, channels="rgb")
    network: Network = TypeAdapter(Network).validate_python(TINY)
    kind = Kind(network, "rgb", 3)
    with EventLog(folder.events) as log:
        size = save(folder, "epoch-0002", kind, kind.restorer(), {})
        log.append(
            "snapshot",
            name="epoch-0002",
            epoch=2.0,
            step=12,
            size=size,
            scalars={"val/l1": 0.01},
            removed=[],
        )
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "commands.main", "restore", *map(str, arguments), "--json"]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run_restore(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return clearframe("restore", *arguments, "--json", folder=folder)


def test_restores_a_stream_and_prints_json(
    untrained: JobFolder, home: Path, clip: Clip, tmp_path: Path
) -> None:
    options = ("--model", untrained.id, "--home", home, "--device", "cpu")
    done = run_restore(tmp_path, clip[0], "out.mkv", "--codec", "ffv1", *options)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert {key: printed[key] for key in ("frames", "width", "height", "codec", "out", "why")} == {
        "frames": 24,
        "width": 96,
        "height": 64,
        "codec": "ffv1",
        "out": "out.mkv",
        "why": "",
    }
    assert printed["frames_per_second"] == pytest.approx(24 / printed["seconds"], rel=0.05)
    assert re.search(r"24 of 24 frames, [\d.]+/s, 0:00 left", done.stderr)
    for old, new in zip(decode_frames(clip[0]), decode_frames(tmp_path / "out.mkv"), strict=True):
        assert all(
            np.array_equal(before, after)
            for before, after in zip(planes_of(old), planes_of(new), strict=True)
        )
    again = run_restore(tmp_path, clip[0], "out.mkv", "--codec", "ffv1", *options)
    assert (again.returncode, "out.mkv already exists" in again.stderr) == (1, True)
    other = run_restore(
        tmp_path, clip[0], "out.mkv", "--overwrite", "--snapshot", "epoch-0001", *options
    )
    assert other.returncode == 0, other.stderr
    assert next(decode_frames(tmp_path / "out.mkv")).format.name == "yuv420p"


def test_restores_images_and_folders(
    untrained: JobFolder, home: Path, clip: Clip, tmp_path: Path
) -> None:
    options = ("--model", untrained.id, "--home", home)
    done = run_restore(tmp_path, clip[1] / "000001.bmp.gz", "one.png", *options)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(read_image(tmp_path / "one.png"), read_image(clip[1] / "000001.bmp.gz"))
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    Image.new("RGB", (20, 30), "teal").save(mixed / "a.png")
    (mixed / "b.png").write_text("no image")
    done = run_restore(tmp_path, mixed, "all", *options)
    assert (done.returncode, json.loads(done.stdout)["frames"]) == (1, 1)
    assert "b.png cannot be read as an image" in done.stderr
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["a.png"]


def test_errors_are_sentences(
    untrained: JobFolder, home: Path, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.mp4").write_text("no video")
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (
            (clip[0], "out.mp4", "--model", "abcdefgh"),
            f"No model abcdefgh in {home}. Set --home.",
        ),
        (
            (clip[0], "out.mp4", "--model", untrained.id, "--codec", "ffv1"),
            "FFV1 requires .mkv",
        ),
        (
            (clip[0], "out.mp4", "--model", untrained.id, "--device", "tpu"),
            "--device: Unknown device tpu.",
        ),
        (
            (clip[0], "out.mp4", "--model", untrained.id, "--snapshot", "epoch-0009"),
            "Snapshot epoch-0009 does not exist. Choose another snapshot: best, epoch-0002",
        ),
    ):
        # In this process: the command fails before it installs its handler for Ctrl-C.
        refused = CliRunner().invoke(restore, [*map(str, arguments), "--home", str(home)])
        assert (refused.exit_code, message in refused.stderr) == (1, True), refused.output
    done = run_restore(tmp_path, "words.mp4", "out.mp4", "--model", untrained.id, "--home", home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: words.mp4 cannot be read as a video")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("options", [(), ("--starter", "fast")])
def test_restores_without_a_model(options: tuple[str, ...], clip: Clip, tmp_path: Path) -> None:
    done = run_restore(tmp_path, clip[0], "out.mkv", "--codec", "ffv1", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 24
    # Starters change Y only. tests/jobs/networks/test_starters.py measures their gain.
    for old, new in zip(decode_frames(clip[0]), decode_frames(tmp_path / "out.mkv"), strict=True):
        assert all(map(np.array_equal, planes_of(old)[1:], planes_of(new)[1:]))


def test_ctrl_c_keeps_the_restored_part_and_names_its_file(
    untrained: JobFolder, home: Path, tmp_path: Path
) -> None:
    stream, _ = make_clip(tmp_path / "long", frames=30, width=480, height=288)
    stream.write_bytes(stream.read_bytes() * 20)  # More than it restores before Ctrl-C arrives.
    arguments = command(stream, "out.mp4", "--model", untrained.id, "--home", home)
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
    ) as running:
        while not re.match(r"\d+ frames|\d+ of", next_line(running, running.stderr)):
            pass
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    done = json.loads(stdout)
    assert running.returncode == 130
    assert done["out"] == "out.partial.mp4"
    stopped = f"Stopped after {done['frames']} frames. "
    assert f"{stopped}out.partial.mp4 contains the restored part." in stderr
    assert 0 < len(list(decode_frames(tmp_path / "out.partial.mp4"))) == done["frames"] < 600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "long", "out.partial.mp4"]


def test_several_inputs_and_folders_of_videos_become_files_of_a_folder(
    clip: Clip, tmp_path: Path
) -> None:
    image = clip[1] / "000001.bmp.gz"
    both = run_restore(tmp_path, clip[0], image, "out", "--codec", "ffv1")
    assert both.returncode == 0, both.stderr
    assert [Path(done["out"]).name for done in json.loads(both.stdout)] == [
        "clip.mkv",
        "000001.png",
    ]
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.h264").write_bytes(clip[0].read_bytes())
    folder = run_restore(tmp_path, "videos", "restored")
    assert folder.returncode == 0, folder.stderr
    assert [path.name for path in (tmp_path / "restored").iterdir()] == ["a.mp4"]
    for arguments, message in (
        ((clip[0], image, image), "is a file. Give a folder"),
        ((clip[0], clip[0], "twice"), "Several inputs would become twice/clip.mp4"),
        (("nothing", "out.mp4"), "nothing does not exist."),
        ((clip[0],), "Give at least one IN, and OUT."),
        (("-", "out.y4m"), "- is for IN and OUT together"),
    ):
        refused = CliRunner().invoke(restore, [*map(str, arguments)])
        assert (refused.exit_code, message in refused.stderr) == (2, True), refused.output


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
def test_a_pipe_restores_y4m_as_a_file_is_restored(
    pixel_format: str, clip: Clip, tmp_path: Path
) -> None:
    y4m = tmp_path / "in.y4m"
    ffmpeg = ("ffmpeg", "-v", "error", "-i", clip[0], "-pix_fmt", pixel_format, "-strict", "-1")
    subprocess.run([*ffmpeg, y4m], check=True, timeout=120)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", y4m, "-c:v", "ffv1", tmp_path / "in.mkv"], timeout=120
    )
    words = ("restore", "-", "-", "--qp", "37")
    piped = between_pipes(*words, input=y4m.read_bytes(), folder=tmp_path)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout[:40] == y4m.read_bytes()[:40]
    (tmp_path / "out.y4m").write_bytes(piped.stdout)
    done = run_restore(tmp_path, "in.mkv", "out.mkv", "--codec", "ffv1", "--qp", "37")
    assert done.returncode == 0, done.stderr
    frames = 0
    for old, new in zip(
        decode_frames(tmp_path / "out.mkv"), decode_frames(tmp_path / "out.y4m"), strict=True
    ):
        assert new.format.name == pixel_format
        assert all(map(np.array_equal, planes_of(old), planes_of(new)))
        frames += 1
    assert frames == 24
    refused = between_pipes("restore", "-", "-", input=b"no y4m")
    assert (refused.returncode, b"is not y4m" in refused.stderr, refused.stdout) == (1, True, b"")


def test_a_server_restores_files_that_it_cannot_see(
    server: Server, clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "a.h264").write_bytes(clip[0].read_bytes())
    (folder / "b.bmp.gz").write_bytes((clip[1] / "000001.bmp.gz").read_bytes())
    there = ("--server", server.url)
    done = run_restore(folder, "a.h264", "b.bmp.gz", "out", "--qp", "30", *there)
    assert done.returncode == 0, done.stderr
    specs = [job["spec"] for job in json.loads(done.stdout)]
    assert [(spec["kind"], spec["qp"]) for spec in specs] == [("video", 30), ("image", 30)]
    assert len(list(decode_frames(folder / "out/a.mp4"))) == 24
    assert read_image(folder / "out/b.png").shape == read_image(folder / "b.bmp.gz").shape
    jobs = server.call("/jobs")[1]["jobs"]
    for arguments, status, message in (
        (("a.h264", "c.mp4", "--memory", "100"), 2, "for this machine only"),
        (("a.h264", "no/c.mp4"), 1, "The folder no does not exist"),
        (("a.h264", "c.mkv"), 2, "c.mkv: a server writes h264 as MP4. Name it .mp4."),
        (("a.h264", "out", "--overwrite"), 1, "out is a folder. Give the name of a file."),
    ):
        refused = run_restore(folder, *arguments, *there)
        assert (refused.returncode, message in refused.stderr) == (status, True), refused.stderr
    assert server.call("/jobs")[1]["jobs"] == jobs
