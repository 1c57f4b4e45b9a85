"""A job's folder: its files, its spec, and whether a worker is running in it.

The worker holds `worker.lock` (flock) while it runs: the server takes the lock, passes it to the
worker that it starts, and closes its own descriptor. The kernel frees the lock however the worker
ends. So neither a reused pid nor a clock that jumps can make a dead worker look alive, or start a
job twice.
"""

import fcntl
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jobs.core.events import EventLog
from jobs.core.types.fields import Kind
from jobs.core.types.samples import PinnedFile
from jobs.core.types.summaries import JobFile
from jobs.specs import JobSpec, spec_of
from jobs.specs.samples import FIRST_PINNED

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_id(now: float) -> str:
    """An id that sorts by time (9 base-36 digits of milliseconds) and has 64 random bits."""
    return _base36(int(now * 1000), 9) + _base36(secrets.randbits(64), 13)


def _base36(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits.rjust(width, "0")


@dataclass(frozen=True)
class JobFolder:
    """The folder HOME/jobs/<id>."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def worker_log(self) -> Path:
        return self.path / "worker.log"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def exports(self) -> Path:
        return self.path / "exports"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def pinned_file(self) -> Path:
        """The samples that users have pinned. The server writes it, the training reads it."""
        return self.path / "pinned.json"

    def pinned(self) -> PinnedFile:
        """The pinned samples of a training; none if the file does not exist or is damaged."""
        try:
            pinned: Any = json.loads(self.pinned_file.read_text(encoding="utf-8"))
            return {"next": int(pinned["next"]), "samples": list(pinned["samples"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {"next": FIRST_PINNED, "samples": []}

    def store(self, split: str) -> Path:
        return self.path / f"{split}.lmdb"

    def sibling(self, id: str) -> "JobFolder":
        """Another job in the same home."""
        return JobFolder(self.path.parent / id)

    def url(self, relative: str) -> str:
        """The URL path of a file of this job; `relative` is such as `layers/01-conv1.png`."""
        return f"/jobs/{self.id}/files/{relative}"

    def read(self) -> JobFile:
        """The content of job.json."""
        job: JobFile = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        return job

    def spec(self) -> JobSpec:
        job = self.read()
        return spec_of(job["kind"], job["spec"]).model_validate(job["spec"])

    def lock(self) -> int | None:
        """An open descriptor that holds the lock, or None while a worker holds it.

        The caller closes it.
        """
        descriptor = os.open(self.path / "worker.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def size(self) -> int:
        """The size of the event log in bytes; 0 if it does not exist."""
        return self.events.stat().st_size if self.events.exists() else 0

    def worker_lives(self) -> bool:
        descriptor = self.lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def worker_pid(self) -> int | None:
        """The process group of the running worker; None if no worker runs."""
        if not self.worker_lives():
            return None
        text = (self.path / "worker.lock").read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else None


LAYERS = "layers"
"""The folder of the pictures of layers."""

QPS = "results/qp.png"
"""The QPs that the network of a test of one image saw, gray (H, W): 5 QP, 0 where unknown."""


def layer_stem(index: int, name: str) -> str:
    """The path of a layer's files in the job's folder, without a file extension.

    Characters of the layer's name that are unsafe in a path become `_`: a pasted network may name a
    layer `../x`.
    """
    return f"{LAYERS}/{index:02d}-{re.sub('[^A-Za-z0-9_-]', '_', name)[:60]}"


def channel_stem(index: int, name: str, channel: int) -> str:
    """The path of the files of one channel of a layer, without a file extension."""
    return f"{layer_stem(index, name)}-c{channel:03d}"


def create(
    home: Path, kind: str, spec: JobSpec, now: float | None = None, owner: str = ""
) -> JobFolder:
    """Create a job's folder with its job.json and its first event (state: waiting).

    The folder appears complete or not at all: it is made under a hidden name and then renamed.
    """
    created = time.time() if now is None else now
    folder = JobFolder(home / "jobs" / new_id(created))
    draft = folder.path.with_name("." + folder.id)
    draft.mkdir(parents=True)
    job: JobFile = {
        "id": folder.id,
        "kind": cast(Kind, kind),
        "name": spec.name,
        "created": created,
        "spec": spec.model_dump(mode="json"),
    }
    if owner:
        job["owner"] = owner
    (draft / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
    with EventLog(draft / "events.jsonl") as log:
        log.append("state", state="waiting", reason="")
    draft.rename(folder.path)
    return folder
