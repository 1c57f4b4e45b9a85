"""The three pages by defaults alone, in Chromium and in Firefox."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.browser import NAMES as CHROMIUM
from jobs.core.paths import ROOT
from tests.support.server import Server

BROWSERS = {"chrome": CHROMIUM, "firefox": ("firefox-esr", "firefox")}


@pytest.mark.parametrize("browser_name", BROWSERS)
def test_a_click_trains_on_the_sample_clip_and_another_one_tests_the_model(
    server: Server, tmp_path: Path, browser_name: str
) -> None:
    path = next(filter(None, map(shutil.which, BROWSERS[browser_name])), None)
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=folders)
    if path is None or node is None or not (ROOT / "node_modules/puppeteer-core").is_dir():
        pytest.skip(f"needs node, npm's puppeteer-core and {BROWSERS[browser_name][0]}")
    walked = subprocess.run(
        [node, "tests/browser/walk.mjs", browser_name, path, server.url],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},  # Firefox refuses a home of another user.
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert walked.returncode == 0, walked.stderr
    shown = json.loads(walked.stdout)
    # Shown by pytest -rP: how fast it is depends on the machine.
    print(f"{browser_name}: {shown}")
    assert re.search(r"[+−]\d+\.\d\d dB|Not better than the input", shown["gain"])
    assert shown["layers"] >= 5
    assert shown["messages"] == []
