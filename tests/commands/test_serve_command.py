"""Tests of `clearframe serve` and of the other entry points, as installed."""

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.server import free_port

SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with packages of the same names as ours, which must not be imported."""
    if not (SCRIPTS / "clearframe").exists():
        pytest.skip("Clearframe is not installed in this Python")
    for name in ("app", "commands", "jobs", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    return tmp_path


@pytest.mark.parametrize("command", [["clearframe", "serve"], ["clearframe-server"]], ids=str)
def test_serves_from_a_folder_with_packages_of_the_same_names(
    folder: Path, command: list[str]
) -> None:
    port = free_port()
    options = [f"--port={port}", f"--home={folder / 'home'}", "--preload-minutes=0"]
    script, *more = command
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [SCRIPTS / script, *more, *options], cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def wait_for(url: str, server: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=120):
                return
        except urllib.error.URLError:
            assert server.poll() is None, "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("command", ["train", "test", "dataset", "export", "restore", "doctor"])
def test_commands_run_in_a_folder_with_packages_of_the_same_names(
    folder: Path, command: str
) -> None:
    done = subprocess.run(
        [SCRIPTS / "clearframe", command, "--help"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
