"""What can be done with jobs: make, find, rename, abort, resume, delete."""

import glob
import json
import shutil
from pathlib import Path
from typing import Any

import gevent
from sqlalchemy import select

from app.database import JobRow, Sessions
from jobs import folder as folders
from jobs import launcher
from jobs.events import FINAL_STATES, Event, EventLog, last_state, read_from
from jobs.folder import JobFolder
from jobs.specs import JobSpec
from jobs.view import empty, fold

GRACE = {"model": 60.0, "dataset": 5.0, "test": 5.0}
"""Seconds after which a job that was asked to end is killed: a training ends its step, and writes a snapshot."""


class Refused(Exception):
    """What was asked for cannot be done now; the text says why."""


class Catalog:
    """The jobs of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.aborting: set[str] = set()
        (home / "jobs").mkdir(parents=True, exist_ok=True)

    def folder(self, id: str) -> JobFolder:
        return JobFolder(self.home / "jobs" / id)

    def create(self, kind: str, spec: JobSpec) -> str:
        folder = folders.create(self.home, kind, spec)
        with EventLog(folder.events) as log:
            log.append("state", state="waiting", reason="")
        self._take_in(folder)
        return folder.id

    def _take_in(self, folder: JobFolder) -> None:
        row = row_of(folder)
        row.launched = folder.worker_lives()
        with Sessions.begin() as session:
            session.merge(row)

    def take_in_folders(self) -> None:
        """At the start: folders that the database does not know are taken in, rows without a folder go."""
        there = {path.name for path in (self.home / "jobs").iterdir() if (path / "job.json").is_file()}
        with Sessions.begin() as session:
            known = set(session.scalars(select(JobRow.id)))
            for id in known - there:
                session.delete(session.get_one(JobRow, id))
            # A server that died just before it started a worker: the job still waits.
            waiting = session.scalars(select(JobRow).where(JobRow.state == "waiting", JobRow.launched))
            for row in waiting:
                row.launched = self.folder(row.id).worker_lives()
        for id in sorted(there - known):
            self._take_in(self.folder(id))

    def catch_up(self, row: JobRow) -> tuple[str, list[Event], int]:
        """Take what is new in a job's log into its row: its state now, the new events, and the offset behind them."""
        events, offset = read_from(self.folder(row.id).events, row.offset)
        if not events:
            return row.state, [], row.offset
        with Sessions.begin() as session:
            fresh = session.get(JobRow, row.id)
            if fresh is None:
                return row.state, [], offset  # It was deleted meanwhile.
            view = fresh.view
            for event in events:
                view = fold(view, event)
            fresh.view, fresh.state, fresh.offset = view, view["state"], offset
        return str(view["state"]), events, offset

    def get(self, id: str) -> JobRow | None:
        with Sessions() as session:
            return session.get(JobRow, id)

    def find(
        self, kind: str = "", states: frozenset[str] = frozenset(), q: str = "", limit: int = 100, before: str = ""
    ) -> list[JobRow]:
        """Jobs, newest first; `before` is the id that the last page ended with."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if kind:
            query = query.where(JobRow.kind == kind)
        if states:
            query = query.where(JobRow.state.in_(states))
        if q:
            query = query.where(JobRow.name.icontains(q, autoescape=True))
        if before:
            query = query.where(JobRow.id < before)
        with Sessions() as session:
            return list(session.scalars(query))

    def describe(self, id: str, **words: str) -> None:
        """Change a job's name, group or notes: what it is called, not what it does."""
        self._rewrite(id, **words)

    def _rewrite(self, id: str, **values: Any) -> None:
        """Change fields of a job's spec, in its folder and in the database."""
        path = self.folder(id).path / "job.json"
        job = json.loads(path.read_text(encoding="utf-8"))
        job = {**job, "name": values.get("name", job["name"]), "spec": {**job["spec"], **values}}
        draft = path.with_name(".job.json")
        draft.write_text(json.dumps(job, indent=1), encoding="utf-8")
        draft.replace(path)
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.name, row.spec = job["name"], job["spec"]

    def abort(self, id: str) -> None:
        """A waiting job is aborted at once; a running one is asked to end, then killed."""
        row = self.get(id)
        if row is None or row.state in FINAL_STATES:
            raise Refused("The job has ended already.")
        self.aborting.add(id)
        gevent.spawn(self._stop, self.folder(id), GRACE[row.kind])

    def _stop(self, folder: JobFolder, grace: float) -> None:
        launcher.stop(folder, grace)
        self.write_end(folder, "aborted", "Aborted by the user. What was finished is kept: Resume goes on from there.")
        self.aborting.discard(folder.id)

    def write_end(self, folder: JobFolder, state: str, reason: str) -> None:
        """Write how a job ended, unless its worker lives or has written that itself."""
        lock = folder.lock()
        if lock is None:
            return
        with open(lock, "rb"):
            last = last_state(folder.events)
            if last is None or last["state"] not in FINAL_STATES:
                with EventLog(folder.events) as log:
                    log.append("state", state=state, reason=reason)

    def resume(self, id: str, snapshot: Any = "") -> None:
        """Let a job go on; a training from that snapshot, or from its last one. Raises Refused."""
        row = self.get(id)
        if row is None or row.state not in ("error", "aborted"):
            raise Refused("Only a job that failed or was aborted can be resumed.")
        there = [one["snapshot"] for one in row.view["summary"].get("snapshots", [])]
        if snapshot and snapshot not in there:
            raise Refused(f"There is no snapshot {snapshot} to go on from. There are: {', '.join(there) or 'none'}.")
        self._wait_again(id, **({"resume_from": snapshot} if snapshot else {}))

    def extend(self, id: str, length: str, value: float) -> None:
        """Let a training that has ended go on from its last snapshot, to a length beyond the planned one. Raises Refused."""
        row = self.get(id)
        if row is None or row.state not in FINAL_STATES:
            raise Refused("The training has not ended yet. Train it longer when it has, or abort it first.")
        if not row.view["summary"].get("snapshots"):
            raise Refused("There is no snapshot to go on from. Clone the model instead.")
        self._wait_again(id)
        self._rewrite(id, **{length: value})

    def _wait_again(self, id: str, **wanted: str) -> None:
        if id in self.aborting or self.folder(id).worker_lives():
            raise Refused("Its worker is just ending. Try again in a moment.")
        with EventLog(self.folder(id).events) as log:
            log.append("state", state="waiting", reason="", **wanted)
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.state, row.launched = "waiting", False

    def remove_snapshot(self, id: str, name: str) -> list[Event]:
        """Delete one snapshot of a training that is not at work, which alone may write its log. Returns what the log says of it.

        Raises Refused."""
        row, folder = self.get(id), self.folder(id)
        if row is None or name not in [one["snapshot"] for one in row.view["summary"].get("snapshots", [])]:
            raise Refused(f"There is no snapshot {name}: it may have been deleted before.")
        for other in self.find("model", frozenset({"waiting"}), limit=100_000):
            if other.spec["start_from"] == id and other.spec["start_snapshot"] == name:
                raise Refused(f"“{other.name}” waits to start from it. Delete the snapshot when that has begun.")
        lock = folder.lock() if row.state in FINAL_STATES else None
        if lock is None:
            raise Refused(f"The training is {row.state}. Delete the snapshot when it has ended, or abort it first.")
        with open(lock, "rb"):
            with EventLog(folder.events) as log:
                log.append("removed", snapshots=[name])
            for place in (folder.snapshots, folder.exports):
                for path in place.glob(f"{glob.escape(name)}.*"):
                    path.unlink()
        return self.catch_up(row)[1]

    def users(self, id: str) -> list[JobRow]:
        """The models that were or are to be trained on a dataset."""
        return [row for row in self.find("model", limit=100_000) if id in (row.spec["dataset"], *row.spec["more_datasets"])]

    def sweep(self, id: str) -> list[JobRow]:
        """The trainings of a sweep, in the order in which they were made."""
        return [row for row in reversed(self.find("model", limit=100_000)) if row.spec["sweep"] == id]

    def delete(self, id: str) -> None:
        """Remove a job and its folder; a running one is aborted first."""
        row = self.get(id)
        users = self.users(id) if row is not None and row.kind == "dataset" else []
        if users:
            names = ", ".join(f"“{user.name}”" for user in users)
            raise Refused(f"The dataset is used by the models {names}. Delete them first.")
        folder = self.folder(id)
        launcher.stop(folder)
        with Sessions.begin() as session:
            session.delete(session.get_one(JobRow, id))
        shutil.rmtree(folder.path)


def row_of(folder: JobFolder) -> JobRow:
    """The row of a folder, with all that its log says."""
    job = folder.read()
    view, (events, offset) = empty(), read_from(folder.events, 0)
    for event in events:
        view = fold(view, event)
    row = JobRow(id=folder.id, kind=job["kind"], name=job["name"], created=job["created"], state=view["state"])
    row.spec, row.view, row.offset = job["spec"], view, offset
    return row


def as_json(row: JobRow, brief: bool = False) -> dict[str, Any]:
    """A job as the API and the pages see it; `brief`, for lists, is without its layers, samples and list of snapshots."""
    shown = {key: row.view[key] for key in ("reason", "progress", "summary", "seq", "started", "finished")}
    if brief:
        long = ("layers", "samples", "snapshots", "worst_pairs", "best_pairs", "sources", "skipped_first", "psnr_histogram")
        shown["summary"] = {key: value for key, value in shown["summary"].items() if key not in long}
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "created": row.created,
        "spec": row.spec,
        **shown,
    }
