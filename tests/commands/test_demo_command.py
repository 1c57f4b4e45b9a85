"""Tests of `clearframe demo`, as a user runs it in a folder of their own."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.server import free_port


def test_the_demo_runs_in_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "commands.main", "demo", "--leave", "--epochs=1"]
    done = subprocess.run(
        [*command, f"--port={free_port()}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^One image PSNR \d\d\.\d\d dB before, \d\d\.\d\d dB after", done.stdout, re.M
    )
    assert (tmp_path / "data/uploads/sample/clip.h264").exists()
