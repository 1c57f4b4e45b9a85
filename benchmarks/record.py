"""What the output of each benchmark has in common: one JSON document, with machine and commit."""

import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parent.parent


def record(**result: Any) -> dict[str, Any]:
    """The result with the date, the machine, the commit and the command that produced it."""
    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "command": " ".join(["python", os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]),
        **result,
    }


def print_record(**result: Any) -> None:
    """Print the JSON document of this benchmark: a line, and the only one on standard output."""
    print(json.dumps(record(**result)), flush=True)


def print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def skip(reason: str) -> NoReturn:
    """End a benchmark that cannot run here, successfully; `reason` says what is missing."""
    print_progress(reason)
    print_record(skipped=reason)
    sys.exit(0)


def machine() -> dict[str, Any]:
    from jobs.networks.device import cpu_name  # It loads torch, which few benchmarks need.

    return {
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The short hash, with a "+" if tracked files differ from it; empty outside of a clone."""
    try:
        return _git("rev-parse", "--short", "HEAD") + (
            "+" if _git("status", "--porcelain", "-uno", "--", ":!benchmarks/results") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*command: str) -> str:
    return subprocess.run(
        ["git", *command], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
