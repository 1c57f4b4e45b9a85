"""Runs a probe (jobs/datasets/probe.py) in a process of its own and waits for its answer, without holding up other requests."""

import json
import subprocess
import sys
from typing import Any

from gevent.lock import BoundedSemaphore

from app.problems import Invalid
from jobs.core.paths import ROOT
from jobs.specs import DatasetSpec

SECONDS = 40
AT_ONCE = BoundedSemaphore(2)


def probe(spec: DatasetSpec, thorough: bool) -> dict[str, Any]:
    """What the probe says. Raises Invalid where the files crash it or it does not end."""
    sent = json.dumps({**spec.model_dump(mode="json"), "thorough": thorough})
    with AT_ONCE:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "jobs.datasets.probe"],
                input=sent,
                capture_output=True,
                text=True,
                cwd=ROOT,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise Invalid(
                {"source": f"The files could not be looked at within {SECONDS} s."}
            ) from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise Invalid(
            {
                "source": f"The files could not be looked at: the process that decodes them ended ({said[:300]})."
            }
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
