"""Tests of the progress on stderr, in a terminal and without one."""

import os
import subprocess
import sys

from jobs.core.paths import ROOT

CODE = """
from commands.running.progress import ProgressLine
line = ProgressLine()
for done in (1, 30, 60, 60):
    line.show({"type": "progress", "done": done, "total": 60, "unit": "frames", "rate": 2.0,
               "eta": 60 - done})
    if done == 30:
        line.show({"type": "message", "text": "[bold] a note"})
line.close()
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}


def run(stderr: int) -> bytes:
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, env=ENVIRONMENT
    ) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")
    return err or b""


def test_without_a_terminal_progress_is_plain_lines() -> None:
    lines = run(subprocess.PIPE).decode().splitlines()
    assert lines == [
        "1 of 60 frames, 2.0/s, 0:59 left",
        "30 of 60 frames, 2.0/s, 0:30 left",
        "[bold] a note",
        "60 of 60 frames, 2.0/s, 0:00 left",
    ]


def test_in_a_terminal_progress_is_a_bar_below_the_messages() -> None:
    reader, writer = os.openpty()
    run(writer)
    os.close(writer)
    shown = os.read(reader, 2**16).decode()
    os.close(reader)
    assert "━" in shown
    assert shown.index("30 of 60") < shown.index("[bold] a note\r\n") < shown.index("60 of 60")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # The cursor is shown again.
