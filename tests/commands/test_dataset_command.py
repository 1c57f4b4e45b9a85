"""Tests of `clearframe dataset create` as a process, locally and on a server."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.media.sample_clip import make_clip
from tests.conftest import Clip
from tests.support.command_line import clearframe
from tests.support.server import Server
from tests.support.waiting import wait_until


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "commands.main", "dataset", "create", *map(str, arguments)]


def run_dataset_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return clearframe("dataset", *arguments)


@pytest.fixture
def create() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return clearframe("dataset", "create", *arguments, "--json")

    return run


Create = Callable[..., subprocess.CompletedProcess[str]]


def only_job(home: Path) -> JobFolder:
    (path,) = (home / "jobs").iterdir()
    return JobFolder(path)


def test_stream_with_originals(clip: Clip, home: Path, create: Create) -> None:
    done = create(
        "--stream",
        clip[0],
        "--originals",
        clip[1],
        "--home",
        home,
        "--name",
        "from options",
        "--validation-percent",
        "25",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["pairs"] == {"train": 18, "val": 6}
    folder = only_job(home)
    assert folder.read()["name"] == "from options"
    assert str(folder.path) in done.stderr


def test_originals_only_are_compressed(clip: Clip, home: Path, create: Create) -> None:
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
    summary = json.loads(done.stdout)["summary"]
    assert summary["channels"] == 1
    assert [source["rate"] for source in summary["sources"]] == ["QP 30", "QP 40"]


def test_two_folders_with_separate_validation(
    clip: Clip, home: Path, tmp_path: Path, create: Create
) -> None:
    other = tmp_path / "other"
    shutil.copytree(clip[1], other)
    validation = [
        "--validation",
        "separate",
        "--validation-source-input",
        clip[1],
        "--validation-source-target",
        other,
    ]
    done = create(
        "--input", clip[1], "--target", clip[1], "--frames-last", "11", *validation, "--home", home
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["pairs"] == {"train": 12, "val": 12}
    assert only_job(home).read()["name"] == clip[1].name


def test_options_override_settings_of_a_file(
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
    job = only_job(home).read()
    assert (job["name"], job["spec"]["seed"]) == ("renamed", 7)
    assert job["spec"]["source"]["qp"] == [35]
    assert job["spec"]["source"]["preset"] == "fast"
    assert json.loads(done.stdout)["summary"]["pairs"] == {"train": 12, "val": 12}


def test_invalid_json_file_is_an_error(tmp_path: Path, create: Create) -> None:
    (tmp_path / "spec.json").write_text("{")
    done = create("--spec", tmp_path / "spec.json")
    assert done.returncode == 2
    assert "spec.json is not valid JSON" in done.stderr


def test_error_names_the_option(clip: Clip, home: Path, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", "/nowhere", "--home", home)
    assert done.returncode == 2
    assert "--originals: /nowhere does not exist." in done.stderr
    assert not home.exists()


def test_failed_job_prints_its_reason(
    clip: Clip, home: Path, tmp_path: Path, create: Create
) -> None:
    stream = tmp_path / "empty.h264"
    stream.write_bytes(b"no stream at all")
    done = create("--stream", stream, "--originals", clip[1], "--home", home)
    assert done.returncode == 1
    assert (
        "No frame of empty.h264 could be decoded" in done.stderr
        or "empty.h264 cannot be read as a video" in done.stderr
    )


def test_on_a_server(clip: Clip, server: Server, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", clip[1], "--server", server.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["pairs"] == {"train": 22, "val": 2}
    assert server.url in done.stderr


def test_files_that_the_server_cannot_read_are_uploaded(
    clip: Clip, server: Server, tmp_path_factory: pytest.TempPathFactory, create: Create
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    stream = Path(shutil.copy(clip[0], folder / "mine.h264"))
    originals = Path(shutil.copytree(clip[1], folder / "mine"))
    done = create("--stream", stream, "--originals", originals, "--server", server.url)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["summary"]["pairs"] == {"train": 22, "val": 2}
    assert str(server.home / "uploads") in job["spec"]["source"]["originals"]
    for path in (stream, originals):
        assert f"Uploading {path}: {server.url} cannot read it" in done.stderr
    refused = create("--stream", "/etc/hostname", "--originals", clip[1], "--server", server.url)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "hostname contains text" in refused.stderr


def test_exports_from_a_home_and_from_a_server(
    clip: Clip, server: Server, tmp_path: Path, create: Create
) -> None:
    created = create("--stream", clip[0], "--originals", clip[1], "--server", server.url)
    id, pictures = json.loads(created.stdout)["id"], {}
    for name, place in (("here", ["--home", server.home]), ("there", ["--server", server.url])):
        out = tmp_path / name
        done = run_dataset_command("export", id, out, "--format", "png", *place)
        assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
        assert "24 of 24 pairs" in done.stderr
        pictures[name] = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.png")}
    assert len(pictures["here"]) == 72
    assert sum(path.parent.name == "qp_map" for path in pictures["here"]) == 24
    assert pictures["here"] == pictures["there"]
    assert not list(tmp_path.glob(".there*"))
    done = run_dataset_command("import", tmp_path / "here", "--home", tmp_path / "new", "--json")
    job = json.loads(done.stdout)
    assert (job["name"], job["summary"]["pairs"]) == ("here", {"train": 22, "val": 2}), done.stderr
    assert job["spec"]["source"] == {"kind": "import", "pairs": str(tmp_path / "here")}
    again = run_dataset_command("export", id, tmp_path / "here", "--home", server.home)
    assert again.returncode == 1
    assert "here is not empty. Give a new or an empty folder." in again.stderr
    unknown = run_dataset_command("export", "nothing", tmp_path / "new", "--home", server.home)
    assert unknown.returncode == 2
    assert "has the name or the id nothing" in unknown.stderr


def test_unreachable_server(clip: Clip, create: Create) -> None:
    done = create("--stream", clip[0], "--originals", clip[1], "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "No Clearframe server responds at http://127.0.0.1:9" in done.stderr


def test_ctrl_c_aborts_and_keeps_finished_pairs(home: Path, tmp_path: Path) -> None:
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
    # Handle SIGINT as in a shell's foreground, even if the tests run in the background, which
    # ignores it.
    restore_sigint = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    running = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=restore_sigint
    )
    wait_until(
        lambda: bool(list(home.glob("jobs/*/train.lmdb"))) or running.poll() is not None,
        "the store of the dataset does not exist",
    )
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"clearframe jobs resume {only_job(home).id}" in stderr
    state = last_state(only_job(home).events)
    assert state is not None
    assert state["state"] == "aborted"
    assert not only_job(home).worker_lives()
    assert os.listdir(only_job(home).path / "train.lmdb")
