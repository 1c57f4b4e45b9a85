"""Exports of snapshots: request checks, the subprocess jobs/networks/export.py, existing files."""

import json
import subprocess
from typing import Any

from gevent.lock import BoundedSemaphore

from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.runner import request_processes
from app.validation_errors import Invalid, validate
from jobs.core import launcher, limits, processes
from jobs.core.folder import JobFolder
from jobs.core.suffixes import natural
from jobs.specs.export import EXTENSIONS, ExportSpec

TIMEOUT_SECONDS = 300
_PROCESSES = BoundedSemaphore(2)
"""Limits the number of exports that run at a time."""


def checked_export(values: Any, row: JobRow) -> ExportSpec:
    """The valid spec of an export of a model. Raises Invalid."""
    spec = validate(ExportSpec, values)
    names = [snapshot["snapshot"] for snapshot in row.view["summary"].get("snapshots", [])]
    if not names:
        raise Invalid({"snapshot": "The model has no snapshot yet. Wait for its first snapshot."})
    if spec.snapshot not in {"best", "last", *names}:
        raise Invalid(
            {"snapshot": f"Snapshot {spec.snapshot} does not exist. Available: {', '.join(names)}."}
        )
    return spec


def export(folder: JobFolder, spec: ExportSpec, user_code: bool) -> dict[str, Any]:
    """Write and verify the file; return the result of jobs/networks/export.py with the file's URL.

    Other requests continue while it runs. `user_code` allows the network's own Python file to run.
    Raises Refused.
    """
    request = json.dumps({"folder": str(folder.path), **spec.model_dump()})
    environment = _environment(user_code)
    try:
        done = request_processes.run(
            _PROCESSES, "jobs.networks.export", request, TIMEOUT_SECONDS, environment
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(
            f"The export took more than {TIMEOUT_SECONDS} s and was stopped. Choose another format."
        ) from error
    if limits.is_over_memory_limit(processes.last_line(done)):
        raise Refused(f"The export: {limits.memory_limit()}")
    if done.returncode:
        raise Refused(
            f"The export failed: its process crashed ({processes.last_line(done)}). "
            "Choose another format."
        )
    result: dict[str, Any] = json.loads(done.stdout)
    if "error" in result:
        raise Refused(result["error"])
    urls = {"url": folder.url(result["file"]), "card_url": folder.url(result["card"])}
    return {**result, **urls}


def _environment(user_code: bool) -> dict[str, str]:
    """Variables of the subprocess: it runs on the CPU and leaves the GPUs to trainings."""
    allowed = {launcher.USER_CODE: "1"} if user_code else {}
    return {"CUDA_VISIBLE_DEVICES": "", **allowed}


def exports_of(folder: JobFolder) -> list[dict[str, Any]]:
    """The existing files of a model: {"name", "snapshot", "format", "size" in bytes, "url"}."""
    files = []
    formats = {extension: format for format, extension in EXTENSIONS.items()}
    for path in sorted(folder.exports.glob("[!.]*"), key=lambda path: natural(path.name)):
        if path.suffix in formats:
            files.append(
                {
                    "name": path.name,
                    "snapshot": path.stem,
                    "format": formats[path.suffix],
                    "size": path.stat().st_size,
                    "url": folder.url(f"exports/{path.name}"),
                }
            )
    return files
