"""`clearframe dataset create`, as a shell runs it: here and now, and on a server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.media.sample_clip import make_clip
from tests.conftest import Clip
from tests.support.server import Server


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "commands.main", "dataset", "create", *map(str, arguments)]


@pytest.fixture
def create() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, cwd=ROOT, check=False
        )

    return run


Create = Callable[..., subprocess.CompletedProcess[str]]


def the_job(home: Path) -> JobFolder:
    (path,) = (home / "jobs").iterdir()
    return JobFolder(path)


def test_a_stream_and_its_originals(clip: Clip, home: Path, create: Create) -> None:
    done = create(
        "--stream",
        clip[0],
        "--originals",
        clip[1],
        "--home",
        home,
        "--name",
        "by hand",
        "--validation-percent",
        "25",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pairs"] == {"train": 18, "val": 6}
    folder = the_job(home)
    assert folder.read()["name"] == "by hand"
    assert str(folder.path) in done.stderr


def test_originals_alone_are_compressed(clip: Clip, home: Path, create: Create) -> None:
    done = create(
        "--originals",
        clip[1],
        "--qp",
        "30,40",
        "--home",
        home,
        "--channels",
        "grayscale",
        "--input-encoding",
        "none",
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["channels"] == 1
    assert [source["rate"] for source in summary["sources"]] == ["QP 30", "QP 40"]


def test_two_folders_and_separate_ones_for_validation(
    clip: Clip, home: Path, tmp_path: Path, create: Create
) -> None:
    other = tmp_path / "other"
    shutil.copytree(clip[1], other)
    kept = [
        "--validation",
        "separate",
        "--validation-source-input",
        clip[1],
        "--validation-source-target",
        other,
    ]
    done = create(
        "--input", clip[1], "--target", clip[1], "--frames-last", "11", *kept, "--home", home
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pairs"] == {"train": 12, "val": 12}
    assert the_job(home).read()["name"] == clip[1].name


def test_settings_from_a_file_and_options_over_them(
    clip: Clip, home: Path, tmp_path: Path, create: Create
) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [30, 40], "preset": "fast"}
    spec = {
        "name": "from a file",
        "seed": 7,
        "source": source,
        "validation": {"method": "frames", "percent": 50},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = create(
        "--spec", tmp_path / "spec.json", "--name", "renamed", "--qp", "35", "--home", home
    )
    assert done.returncode == 0, done.stderr
    job = the_job(home).read()
    assert (job["name"], job["spec"]["seed"]) == ("renamed", 7)
    assert job["spec"]["source"]["qp"] == [35]
    assert job["spec"]["source"]["preset"] == "fast"
    assert json.loads(done.stdout)["pairs"] == {"train": 12, "val": 12}


def test_a_file_of_settings_that_is_no_json_is_said(tmp_path: Path, create: Create) -> None:
    (tmp_path / "spec.json").write_text("{")
    done = create("--spec", tmp_path / "spec.json")
    assert done.returncode == 1
    assert "spec.json is no JSON" in done.stderr


def test_what_is_wrong_is_said_by_the_option(clip: Clip, home: Path, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", "/nowhere", "--qp", "x", "--home", home)
    assert done.returncode == 1
    assert "--originals: /nowhere is not there." in done.stderr
    assert not home.exists()


def test_a_job_that_fails_ends_with_its_reason(
    clip: Clip, home: Path, tmp_path: Path, create: Create
) -> None:
    stream = tmp_path / "empty.h264"
    stream.write_bytes(b"no stream at all")
    done = create("--stream", stream, "--originals", clip[1], "--home", home)
    assert done.returncode == 1
    assert (
        "No frame of empty.h264 could be decoded" in done.stderr
        or "empty.h264 is no video" in done.stderr
    )


def test_on_a_server(clip: Clip, server: Server, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", clip[1], "--server", server.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pairs"] == {"train": 22, "val": 2}
    assert server.url in done.stderr
    refused = create("--stream", "/etc/hostname", "--originals", clip[1], "--server", server.url)
    assert refused.returncode == 1
    assert "is outside the folders that this server may read" in refused.stderr


def test_no_server_there(clip: Clip, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", clip[1], "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 does not answer as a Clearframe server" in done.stderr


def test_ctrl_c_aborts_and_keeps_what_was_made(home: Path, tmp_path: Path) -> None:
    stream, originals = make_clip(tmp_path / "long", frames=240, width=192, height=128)
    arguments = command(
        "--stream",
        stream,
        "--originals",
        originals,
        "--home",
        home,
        "--patches-size",
        "32",
        "--patches-stride",
        "4",
    )
    # As in a shell's foreground, also where these tests run in the background, which ignores SIGINT.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    running = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=heard
    )
    while not list(home.glob("jobs/*/train.lmdb")):
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, words = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "Aborted" in words
    state = last_state(the_job(home).events)
    assert state is not None
    assert state["state"] == "aborted"
    assert not the_job(home).worker_lives()
    assert os.listdir(the_job(home).path / "train.lmdb")
