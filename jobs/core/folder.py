"""A job's folder: where its files are, what it was asked to do, and whether a worker lives in it.

`worker.lock` is held (flock) by the worker for as long as it lives: the server takes the lock, hands
it to the worker it starts, and lets go. The kernel frees it however the worker ends, so neither a
reused pid nor a clock that jumps can make a dead worker look alive or a job run twice.
"""

import fcntl
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.core.events import EventLog
from jobs.specs import JobSpec, spec_of

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_id(now: float) -> str:
    """An id that sorts by time (milliseconds, base 36) and has 64 random bits."""
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

    def store(self, split: str) -> Path:
        return self.path / f"{split}.lmdb"

    def sibling(self, id: str) -> "JobFolder":
        """Another job of the same home."""
        return JobFolder(self.path.parent / id)

    def url(self, relative: str) -> str:
        """The address at which the server gives out a file of this job, such as `layers/01-conv1.png`."""
        return f"/jobs/{self.id}/files/{relative}"

    def read(self) -> dict[str, Any]:
        """job.json: {"id", "kind", "name", "created", "spec"}."""
        job: dict[str, Any] = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        return job

    def spec(self) -> JobSpec:
        job = self.read()
        return spec_of(job["kind"], job["spec"]).model_validate(job["spec"])

    def lock(self) -> int | None:
        """An open descriptor that holds the lock, or None while a worker has it. The caller closes it."""
        descriptor = os.open(self.path / "worker.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def size(self) -> int:
        """Bytes of the event log, 0 where there is none."""
        return self.events.stat().st_size if self.events.exists() else 0

    def worker_lives(self) -> bool:
        descriptor = self.lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def worker_pid(self) -> int | None:
        """The process group of the living worker, None where there is none."""
        if not self.worker_lives():
            return None
        text = (self.path / "worker.lock").read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else None


def create(home: Path, kind: str, spec: JobSpec, now: float | None = None) -> JobFolder:
    """Make a job's folder with its job.json and its first event, that it waits; whole or not at all."""
    created = time.time() if now is None else now
    folder = JobFolder(home / "jobs" / new_id(created))
    draft = folder.path.with_name("." + folder.id)
    draft.mkdir(parents=True)
    job = {
        "id": folder.id,
        "kind": kind,
        "name": spec.name,
        "created": created,
        "spec": spec.model_dump(mode="json"),
    }
    (draft / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
    with EventLog(draft / "events.jsonl") as log:
        log.append("state", state="waiting", reason="")
    draft.rename(folder.path)
    return folder
