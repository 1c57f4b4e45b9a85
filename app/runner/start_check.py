"""Which weights of a file a training would start from: jobs/networks/pretrained.py in a process."""

import json
import subprocess

from gevent.lock import BoundedSemaphore

from app.runner import request_processes
from app.validation_errors import Invalid
from jobs.core import launcher, limits, processes
from jobs.specs import ModelSpec

FIELD = "start_file"
TIMEOUT_SECONDS = 60
_PROCESSES = BoundedSemaphore(2)
"""Limits the number of checks that run at a time."""


def sentences(spec: ModelSpec, image_channels: int, user_code: bool) -> list[str]:
    """What of the file of a checked spec the network takes, and what not, as the log has it.

    Other requests continue while it runs. Raises Invalid, ClientHasLeft.
    """
    request = json.dumps({"spec": spec.model_dump(mode="json"), "channels": image_channels})
    allowed = {launcher.USER_CODE: "1"} if user_code else {}
    environment = {"CUDA_VISIBLE_DEVICES": "", **allowed}
    try:
        done = request_processes.run(
            _PROCESSES, "jobs.networks.pretrained", request, TIMEOUT_SECONDS, environment
        )
    except subprocess.TimeoutExpired as error:
        raise Invalid(
            {FIELD: f"Reading the file took more than {TIMEOUT_SECONDS} s. Give a smaller file."}
        ) from error
    last = processes.last_line(done)
    if limits.is_over_memory_limit(last):
        raise Invalid({FIELD: f"Reading the file: {limits.memory_limit()}"})
    if done.returncode:
        raise Invalid({FIELD: f"The file could not be read: its process crashed ({last})."})
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise Invalid({FIELD: answer["error"]})
    texts: list[str] = answer["sentences"]
    return texts
