"""Runs a probe of a dataset's sources (jobs/datasets/probe.py) in a subprocess.

A stream that crashes the decoder crashes only the subprocess. Other requests continue.
"""

import json
import subprocess
import sys
from typing import Any

from gevent.lock import BoundedSemaphore

from app.problems import Invalid
from jobs.core.paths import ROOT
from jobs.specs import DatasetSpec

TIMEOUT_SECONDS = 40
_PROCESSES = BoundedSemaphore(2)
"""Limits the number of probes that run at a time."""


def probe(spec: DatasetSpec, thorough: bool) -> dict[str, Any]:
    """The result of the probe. Raises Invalid if the files crash it or it times out."""
    request = json.dumps({**spec.model_dump(mode="json"), "thorough": thorough})
    with _PROCESSES:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "jobs.datasets.probe"],
                input=request,
                capture_output=True,
                text=True,
                cwd=ROOT,
                timeout=TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise Invalid(
                {
                    "source": f"Reading the files took more than {TIMEOUT_SECONDS} s. "
                    "Check the files, or use fewer or smaller files."
                }
            ) from error
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise Invalid(
            {
                "source": "The files could not be read: the decoder crashed "
                f"({last_line[:300]}). Check the files."
            }
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
