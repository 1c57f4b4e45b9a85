"""Runs a probe of a dataset's sources (jobs/datasets/probe.py) in a subprocess.

A stream that crashes the decoder crashes only the subprocess. Other requests continue.
"""

import json
import subprocess
from typing import Any

from gevent.lock import BoundedSemaphore

from app.bodies import ProbeRequest
from app.runner import request_processes
from app.validation_errors import Invalid
from jobs.core import limits, processes

TIMEOUT_SECONDS = 40
_PROCESSES = BoundedSemaphore(2)
"""Limits the number of probes that run at a time."""


def probe(request: ProbeRequest) -> dict[str, Any]:
    """The result of the probe. Raises Invalid if the files crash it or it times out."""
    question = json.dumps(request.model_dump(mode="json"))
    try:
        done = request_processes.run(_PROCESSES, "jobs.datasets.probe", question, TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Invalid(
            {
                "source": f"Reading the files took more than {TIMEOUT_SECONDS} s. "
                "Check the files, or use fewer or smaller files."
            }
        ) from error
    if limits.is_over_memory_limit(processes.last_line(done)):
        raise Invalid({"source": f"Reading the files: {limits.memory_limit()}"})
    if done.returncode:
        raise Invalid(
            {
                "source": "The files could not be read: the decoder crashed "
                f"({processes.last_line(done)}). Check the files."
            }
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
