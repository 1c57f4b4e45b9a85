"""Tests of the end of a worker's process."""

import os
import subprocess
import sys
from pathlib import Path

from jobs.core.paths import ROOT

WORKER = """
from multiprocessing.util import get_temp_dir
from jobs.core.processes import run_to_end
run_to_end(lambda: print(get_temp_dir()), [])
"""


def test_a_worker_removes_the_temporary_folder_of_its_reading_processes(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(ran.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
