"""Each example does its job. test_documents.py uses those of networks and losses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.shell import put_on_path


def run(folder: Path, *command: str | Path) -> str:
    """The output of a program. `folder` is for the `clearframe` that it calls."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": put_on_path(folder), "EPOCHS": "1"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("place", ["--home", "--server"])
def test_the_shell_script_does_the_whole_job(
    place: str, request: pytest.FixtureRequest, clip: Clip, tmp_path: Path
) -> None:
    where = tmp_path / "home"
    url = request.getfixturevalue("server").url if place == "--server" else str(where)
    out = tmp_path / "results"
    printed = run(tmp_path, ROOT / "examples/whole_job.sh", *clip, out, place, url)
    assert re.fullmatch(r"gain: -?[\d.e-]+ dB\n", printed)
    test = json.loads((out / "test.json").read_text())
    assert (test["kind"], test["state"]) == ("test", "done")
    assert json.loads((out / "job.json").read_text())["name"] == "whole-job"
    exported = json.loads((out / "export.json").read_text())
    assert (out / "model.onnx").stat().st_size == exported["size"]


def test_a_training_in_plain_python(clip: Clip, tmp_path: Path) -> None:
    script = ROOT / "examples/train_without_server.py"
    printed = run(tmp_path, sys.executable, script, *clip, tmp_path / "home", "1")
    assert re.fullmatch(r"[0-9a-z]{22}: [\d.]+ dB, input [\d.]+ dB \([+-][\d.]+ dB\)\n", printed)
