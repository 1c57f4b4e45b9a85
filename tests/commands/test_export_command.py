"""Tests of `clearframe export` as a process, locally and on a server."""

import json
import subprocess
from pathlib import Path

import pytest

from jobs.core.folder import JobFolder
from tests.support.command_line import clearframe
from tests.support.exported import make_model
from tests.support.server import Server


@pytest.fixture
def trained(home: Path) -> JobFolder:
    return make_model(home)


def export(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return clearframe("export", *arguments, "--json", folder=folder)


def test_exports_a_snapshot_locally(trained: JobFolder, home: Path, tmp_path: Path) -> None:
    done = export(tmp_path, trained.id, "--home", home)
    assert done.returncode == 0, done.stderr
    exported = json.loads(done.stdout)
    assert (exported["out"], exported["file"], exported["difference"] < 1e-5) == (
        "tiny-epoch-0001.onnx",
        "exports/epoch-0001.onnx",
        True,
    )
    assert (tmp_path / "tiny-epoch-0001.onnx").read_bytes() == (
        trained.exports / "epoch-0001.onnx"
    ).read_bytes()
    card = (tmp_path / "README.md").read_text()
    assert exported["card_out"] == "README.md"
    assert "InferenceSession('tiny-epoch-0001.onnx')" in card
    out = tmp_path / "mine.bin"
    done = export(
        tmp_path,
        trained.id,
        "--format",
        "torchscript",
        "--snapshot",
        "epoch-0001",
        "--home",
        "home",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size == json.loads(done.stdout)["size"]
    # The card of the first file stays.
    assert json.loads(done.stdout)["card_out"] == f"{out}.README.md"
    assert (tmp_path / "README.md").read_text() == card
    assert "torch.jit.load('mine.bin')" in (tmp_path / "mine.bin.README.md").read_text()


def test_exports_a_snapshot_on_a_server(
    trained: JobFolder, home: Path, tmp_path: Path, free_port: int
) -> None:
    with Server(home, [tmp_path], free_port) as running:
        options = (trained.id, "--server", running.url)
        done = export(tmp_path, *options, "--format", "torchscript")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["url"] == f"/jobs/{trained.id}/files/exports/epoch-0001.pt"
        assert (tmp_path / "tiny-epoch-0001.pt").read_bytes() == (
            trained.exports / "epoch-0001.pt"
        ).read_bytes()
        for status, arguments, message in (
            (
                2,
                (*options, "--snapshot", "epoch-0009"),
                "--snapshot: Snapshot epoch-0009 does not exist.",
            ),
            (2, ("a b/c", "--server", running.url), "has the name or the id a b/c"),
            (
                1,
                (*options, "--format", "torchscript", "--out", tmp_path / "not" / "there.pt"),
                "cannot be written: No such file",
            ),
        ):
            done = export(tmp_path, *arguments)
            assert (done.returncode, "Traceback" in done.stderr, message in done.stderr) == (
                status,
                False,
                True,
            ), done.stderr


def test_error_names_the_option(trained: JobFolder, home: Path, tmp_path: Path) -> None:
    for status, arguments, message in (
        (
            2,
            (trained.id, "--home", home, "--snapshot", "epoch-0009"),
            "--snapshot: Snapshot epoch-0009 does not exist.",
        ),
        (
            1,
            ("abcdefgh", "--home", home),
            f"No model abcdefgh in {home}. Set --home or --server.",
        ),
    ):
        done = export(tmp_path, *arguments)
        assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert export(tmp_path, trained.id, "--home", home, "--format", "caffe").returncode == 2


def test_user_code_runs_only_if_allowed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "net.py"
    code.write_text(
        "import torch\n\n"
        "def network(channels):\n"
        "    return torch.nn.Conv2d(channels, channels, 3, padding=1)\n"
    )
    with monkeypatch.context() as allowed:
        allowed.setenv("CLEARFRAME_USER_CODE", "1")
        folder = make_model(home, {"name": "python", "file": str(code)})
    options = (folder.id, "--home", home, "--format", "torchscript")
    done = export(tmp_path, *options)
    assert (done.returncode, "--allow-user-code" in done.stderr) == (1, True), done.stderr
    assert export(tmp_path, *options, "--allow-user-code").returncode == 0
