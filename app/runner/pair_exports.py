"""Exports of datasets to other programs: a process writes a folder, and the server sends it.

The folder is in `HOME/exports` until it is sent. A server that was killed leaves it there, and the
next one removes it.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from gevent.lock import BoundedSemaphore

from app.catalog.catalog import Refused
from app.runner import request_processes
from app.threads import in_thread
from jobs.core import limits, processes
from jobs.core.folder import JobFolder
from jobs.specs.export import DatasetFormat

TIMEOUT_SECONDS = 3600
_PROCESSES = BoundedSemaphore(2)
"""Limits the number of exports that run at a time."""


def export(folder: JobFolder, name: str, format: DatasetFormat, exports: Path) -> Path:
    """Write the pairs of a finished dataset into a new folder below `exports`; return it.

    Other requests continue while it runs. Raises Refused, ClientHasLeft, OSError.
    """
    exports.mkdir(exist_ok=True)
    target = Path(tempfile.mkdtemp(dir=exports))
    try:
        _write({"folder": str(folder.path), "name": name, "target": str(target), "format": format})
    except BaseException:
        remove([target])
        raise
    return target


def _write(request: dict[str, str]) -> None:
    try:
        done = request_processes.run(
            _PROCESSES, "jobs.interchange.for_server", json.dumps(request), TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(
            f"The export took more than {TIMEOUT_SECONDS // 60} minutes and was stopped. Download "
            "the pairs as PNG, or use `clearframe dataset export --server`."
        ) from error
    if limits.is_over_memory_limit(processes.last_line(done)):
        raise Refused(f"The export: {limits.memory_limit()}")
    if done.returncode:
        raise Refused(f"The export failed: its process crashed ({processes.last_line(done)}).")
    answer: dict[str, str] = json.loads(done.stdout)
    if "error" in answer:
        raise Refused(answer["error"])


def remove(folders: list[Path]) -> None:
    """Remove folders that were sent, and the drafts of processes that were stopped."""
    for folder in folders:
        for path in (folder, folder.with_name(f".{folder.name}.part")):
            in_thread(shutil.rmtree, path, ignore_errors=True)


def leftovers(exports: Path) -> list[Path]:
    """What a server left behind that was killed."""
    return list(exports.iterdir()) if exports.is_dir() else []
