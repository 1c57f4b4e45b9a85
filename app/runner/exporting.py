"""Exports of snapshots: valid requests, the process that writes one (jobs/networks/export.py), and the files that exist."""

import json
import os
import subprocess
import sys
from typing import Any

from gevent.lock import BoundedSemaphore

from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.problems import Invalid, validate
from jobs.core import launcher
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.suffixes import natural
from jobs.specs.export import ENDINGS, ExportSpec

SECONDS = 300
AT_ONCE = BoundedSemaphore(2)


def asked_for(values: Any, row: JobRow) -> ExportSpec:
    """What is to be written of a model. Raises Invalid."""
    spec = validate(ExportSpec, values)
    names = [one["snapshot"] for one in row.view["summary"].get("snapshots", [])]
    if not names:
        raise Invalid({"snapshot": "The model has no snapshot yet. Wait for its first one."})
    if spec.snapshot not in {"best", "last", *names}:
        raise Invalid(
            {"snapshot": f"There is no snapshot {spec.snapshot}. There are: {', '.join(names)}."}
        )
    return spec


def export(folder: JobFolder, spec: ExportSpec, user_code: bool) -> dict[str, Any]:
    """Write the file, and wait until it is checked: what jobs/networks/export.py answers, and the file's address.

    Other requests go on meanwhile. `user_code`: whether Python of the network's own may run. Raises Refused.
    """
    sent = json.dumps({"folder": str(folder.path), **spec.model_dump()})
    with AT_ONCE:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "jobs.networks.export"],
                input=sent,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=ROOT,
                env=_environment(user_code),
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise Refused(
                f"The export was not done within {SECONDS} s, and was stopped. Choose another format."
            ) from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise Refused(
            f"The snapshot could not be exported: the process that writes it ended ({said[:300]})."
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise Refused(answer["error"])
    return {**answer, "url": folder.url(answer["file"])}


def _environment(user_code: bool) -> dict[str, str]:
    """It computes on the processor: GPUs are left to the trainings."""
    allowed = {launcher.USER_CODE: "1"} if user_code else {}
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", **allowed}


def listing(folder: JobFolder) -> list[dict[str, Any]]:
    """The files that are there: {"name", "snapshot", "format", "size" in bytes, "url"}."""
    found = []
    formats = {ending: format for format, ending in ENDINGS.items()}
    for path in sorted(folder.exports.glob("[!.]*"), key=lambda path: natural(path.name)):
        if path.suffix in formats:
            found.append(
                {
                    "name": path.name,
                    "snapshot": path.stem,
                    "format": formats[path.suffix],
                    "size": path.stat().st_size,
                    "url": folder.url(f"exports/{path.name}"),
                }
            )
    return found
