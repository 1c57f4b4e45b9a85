"""What users can do with jobs: create, rename, reorder, abort, resume, extend and delete them."""

import glob
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event as Signal
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.catalog.database import JobRow, Sessions
from app.catalog.index import DELETING_PREFIX, Index, indexed_spec, update_list_columns
from app.catalog.queue import Queue, reordered, start_order
from app.temporary_failures import is_full
from app.threads import in_thread
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.durable_files import write_whole
from jobs.core.events import FINAL_STATES, EventLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent, StateFields
from jobs.core.types.fields import JobState
from jobs.specs import JobSpec

GRACE = {"model": 60.0, "dataset": 5.0, "test": 5.0}
"""Seconds between the request to abort a job and the kill of its worker, by kind of job.

A training needs time to finish its optimizer step and to write a snapshot.
"""

SECONDS_TO_END = 10.0
"""Limit for the wait for a worker that has logged the end of its job, before the job is resumed."""

BY_USER = "Aborted by the user. Finished work is kept: Resume continues from there."


class Refused(Exception):
    """The request conflicts with the job's present state; the message says why."""


class Catalog(Index):
    """The jobs of one home, with the operations that change them."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.aborting: set[str] = set()
        """Ids of the jobs that are being aborted."""
        self.blocked: dict[str, str] = {}
        """By the id of a waiting training: the GPUs that it could use but other programs occupy."""
        self.job_queued = Signal()
        """Set when another job waits for a worker."""

    def create(self, kind: str, spec: JobSpec, owner: str = "") -> str:
        # The spec may have thousands of paths.
        folder = in_thread(folders.create, self.home, kind, spec, owner=owner)
        try:
            self._index_folder(folder)
        except OperationalError:
            # The client sees an error and retries: that must not create the job twice.
            shutil.rmtree(folder.path)
            raise
        self.job_queued.set()
        return folder.id

    def describe(self, id: str, **changes: str | list[str]) -> None:
        """Change a job's name, group, tags or notes: its labels, not its work."""
        self._rewrite(id, changes)

    def waiting(self) -> list[JobRow]:
        """The jobs that wait for a worker, in the order in which they start."""
        waiting = self.find(states=frozenset({"waiting"}), limit=None)
        return start_order([row for row in waiting if row.id not in self.launched])

    def queue(self, id: str, **changes: Any) -> None:
        """Change when a waiting job starts (app/catalog/queue.py). Raises Refused, ValueError."""
        row = self.get(id)
        if row is None or row.state != "waiting" or id in self.launched:
            raise Refused("The job is no longer waiting.")
        queue = Queue.model_validate({**row.queue, **changes})
        self._rewrite(id, {}, queue.model_dump(exclude_defaults=True))
        self.job_queued.set()

    def move(self, id: str, before: str | None) -> None:
        """Let a waiting job start just before the job `before`; None: last. Raises Refused."""
        try:
            changes = reordered(self.waiting(), id, before)
        except KeyError as error:
            raise Refused("One of the two jobs is no longer waiting.") from error
        for moved, queue in changes.items():
            self.queue(moved, **queue)

    def _rewrite(
        self, id: str, values: Mapping[str, Any], queue: dict[str, Any] | None = None
    ) -> None:
        """Change fields of a job's spec, or its place in the queue, in its folder and its row."""
        path = self.folder(id).path / "job.json"
        job = json.loads(path.read_text(encoding="utf-8"))
        job = {**job, "name": values.get("name", job["name"]), "spec": {**job["spec"], **values}}
        if queue is not None:
            job["queue"] = queue
        write_whole(path, json.dumps(job, indent=1))
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.name, row.spec = job["name"], indexed_spec(job["spec"])
            row.queue = job.get("queue", {})
            update_list_columns(row)

    def abort(self, id: str, reason: str = BY_USER) -> None:
        """Abort a waiting job at once; ask a running worker to end, and kill it after GRACE.

        Returns at once. Raises Refused.
        """
        row = self.get(id)
        if row is None or row.state in FINAL_STATES:
            raise Refused("The job has already ended.")
        self._require_folder(id)
        self.aborting.add(id)
        gevent.spawn(self._stop, self.folder(id), GRACE[row.kind], reason)

    def _stop(self, folder: JobFolder, grace: float, reason: str) -> None:
        launcher.stop(folder, grace)
        self.write_end(folder, "aborted", reason)
        self.aborting.discard(folder.id)

    def write_end(self, folder: JobFolder, state: JobState, reason: str) -> None:
        """Log a final state, unless the job's worker still runs or has logged its own."""
        lock = folder.lock()
        if lock is None:
            return
        with open(lock, "rb"):
            last = last_state(folder.events)
            if last is None or last["state"] not in FINAL_STATES:
                with EventLog(folder.events) as log:
                    log.append("state", state=state, reason=reason)

    def resume(self, id: str, snapshot: str = "") -> None:
        """Let a job continue; a training from that snapshot, or from its last. Raises Refused."""
        row = self.get(id)
        if row is None or row.state not in ("error", "aborted"):
            raise Refused("Only a job that failed or was aborted can be resumed.")
        names = [saved["snapshot"] for saved in row.view["summary"].get("snapshots", [])]
        if snapshot and snapshot not in names:
            available = ", ".join(names) or "none"
            raise Refused(f"Snapshot {snapshot} does not exist. Available: {available}.")
        self._requeue(id, resume_from=snapshot)

    def extend(self, id: str, length: str, value: float) -> None:
        """Continue a training that has ended from its last snapshot, beyond its planned length.

        `length` is epochs, steps or minutes. Raises Refused.
        """
        row = self.get(id)
        if row is None or row.state not in FINAL_STATES:
            raise Refused(
                "The training has not ended yet. "
                "Wait for its end or abort it, then train it longer."
            )
        if not row.view["summary"].get("snapshots"):
            raise Refused("The model has no snapshot to continue from. Clone the model instead.")
        self._requeue(id)
        self._rewrite(id, {length: value})

    def _require_folder(self, id: str) -> None:
        if not self.folder(id).path.exists():
            raise Refused(
                "The job's folder does not exist any more. Restore it from a copy to use the job."
            )

    def _requeue(self, id: str, resume_from: str = "") -> None:
        """Let a job that has ended wait for a worker again, which resumes from that snapshot.

        A worker ends a moment after it has logged the end of its job.
        """
        self._require_folder(id)
        began = time.monotonic()
        while id in self.aborting or self.folder(id).worker_lives():
            if time.monotonic() - began > SECONDS_TO_END:
                raise Refused("The job's worker is still shutting down. Try again in a moment.")
            gevent.sleep(0.02)
        latest = self.get(id)
        if latest is None or latest.state not in FINAL_STATES:  # Another request was faster.
            raise Refused("The job has been resumed already.")
        fields: StateFields = {"state": "waiting", "reason": ""}
        if resume_from:
            fields["resume_from"] = resume_from
        with EventLog(self.folder(id).events) as log:
            log.append("state", **fields)
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.state = "waiting"
        self.launched.discard(id)
        self.job_queued.set()

    def remove_snapshot(self, id: str, name: str) -> list[JobEvent]:
        """Delete a snapshot of a training that is not running; return the new events of its log.

        A running training is the only writer of its log. Raises Refused.
        """
        self._require_folder(id)
        row, folder = self.get(id), self.folder(id)
        if row is None or name not in [
            snapshot["snapshot"] for snapshot in row.view["summary"].get("snapshots", [])
        ]:
            raise Refused(f"Snapshot {name} does not exist. It may have been deleted already.")
        for other in self.find("model", frozenset({"waiting"}), limit=None):
            if other.spec["start_from"] == id and other.spec["start_snapshot"] == name:
                raise Refused(
                    f"“{other.name}” is waiting to start from this snapshot. "
                    "Delete the snapshot after that training has started."
                )
        lock = folder.lock() if row.state in FINAL_STATES else None
        if lock is None:
            raise Refused(
                f"The training is {row.state}. "
                "Wait for its end or abort it, then delete the snapshot."
            )
        with open(lock, "rb"):
            with EventLog(folder.events) as log:
                log.append("removed", snapshots=[name])
            for parent in (folder.snapshots, folder.exports):
                for path in parent.glob(f"{glob.escape(name)}.*"):
                    path.unlink()
        return self.catch_up(row)[1]

    def models_using(self, dataset: str) -> list[JobRow]:
        """The models whose training uses a dataset, in any state."""
        return [
            row
            for row in self.find("model", limit=None)
            if dataset in (row.spec["dataset"], *row.spec["more_datasets"])
        ]

    def filter_gains(self, model: str) -> dict[str, float]:
        """The mean gains in dB of filters on a model's validation pairs, by name.

        They come from its newest test of them that compares with filters; empty without one.
        """
        query = select(JobRow).where(JobRow.kind == "test", JobRow.state == "done")
        query = query.where(JobRow.spec["model"].as_string() == model).order_by(JobRow.id.desc())
        with Sessions() as session:
            for row in session.scalars(query):
                filters = row.view["summary"].get("filters", [])
                if row.spec.get("split") == "val" and filters:
                    return {
                        filter["name"]: filter["gain"]
                        for filter in filters
                        if filter["gain"] is not None
                    }
        return {}

    def sweep(self, id: str) -> list[JobRow]:
        """The trainings of a sweep, oldest first."""
        rows = reversed(self.find("model", limit=None))
        return [row for row in rows if row.spec["sweep"] == id]

    def delete(self, id: str) -> None:
        """Remove a job and its folder; end its worker first. Raises Refused."""
        row = self.get(id)
        if not self.folder(id).path.exists():
            self._delete_row(id)
            return
        models = self.models_using(id) if row is not None and row.kind == "dataset" else []
        if models:
            names = ", ".join(f"“{model.name}”" for model in models)
            raise Refused(f"The dataset is used by the models {names}. Delete them first.")
        folder = self.folder(id)
        launcher.stop(folder)
        # Rename first: a server that starts later would take a partly deleted folder for a job.
        deleting = folder.path.rename(folder.path.with_name(DELETING_PREFIX + id))
        try:
            self._delete_row(id)
        except OperationalError as error:
            if not is_full(error):
                raise
            # The space of the folder lets the database forget the job.
            in_thread(shutil.rmtree, deleting)
            self._delete_row(id)
        else:
            in_thread(shutil.rmtree, deleting)
