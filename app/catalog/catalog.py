"""What can be done with jobs: make, find, rename, abort, resume, delete."""

import glob
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event as Signal
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError

from app.catalog.database import JobRow, Sessions
from app.catalog.lists import listed
from app.catalog.queue import Queue, in_order, reordered
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import FINAL_STATES, Event, EventLog, last_state, read, read_from
from jobs.core.folder import JobFolder
from jobs.core.view import empty, fold
from jobs.specs import JobSpec

GRACE = {"model": 60.0, "dataset": 5.0, "test": 5.0}
"""Seconds after which a job that was asked to end is killed: a training ends its step, and writes a snapshot."""


BY_USER = "Aborted by the user. What was finished is kept: Resume goes on from there."
QUIET = 5.0
"""Seconds that a folder must have been left alone by whoever copies it here."""
GONE = ".gone-"
"""Begins the name of a folder that is being deleted."""


class Refused(Exception):
    """What was asked for cannot be done now; the text says why."""


class Catalog:
    """The jobs of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.aborting: set[str] = set()
        self.launched: set[str] = set()
        """Jobs to which a worker was given, though their logs may not say so yet."""
        self.held_up: dict[str, str] = {}
        """By the id of a waiting training: who else uses the GPUs that it could have."""
        self._not_understood: set[str] = set()
        self.waits = Signal()
        """Set when one more job waits to be started."""
        (home / "jobs").mkdir(parents=True, exist_ok=True)

    def folder(self, id: str) -> JobFolder:
        return JobFolder(self.home / "jobs" / id)

    def create(self, kind: str, spec: JobSpec) -> str:
        folder = folders.create(self.home, kind, spec)
        try:
            self._take_in(folder)
        except (
            OperationalError
        ):  # Who is told that it did not work will try again, and wants one job.
            shutil.rmtree(folder.path)
            raise
        self.waits.set()
        return folder.id

    def _take_in(self, folder: JobFolder) -> None:
        row = row_of(folder)
        if folder.worker_lives():
            self.launched.add(folder.id)
        with Sessions.begin() as session:
            session.merge(row)

    def begin(self) -> None:
        """At the start of a server: the database becomes what the folders and their logs say."""
        for path in (self.home / "jobs").glob(f"{GONE}*"):
            shutil.rmtree(path)
        self.take_in_folders()
        with Sessions() as session:
            read_to = session.execute(select(JobRow.id, JobRow.offset)).all()
        for id, offset in read_to:
            if self.folder(id).size() != offset and (row := self.get(id)) is not None:
                self.catch_up(row)
        # A server that died just after it started a worker: that may not have said so yet.
        waiting = self.find(states=frozenset({"waiting"}), limit=100_000)
        self.launched = {row.id for row in waiting if self.folder(row.id).worker_lives()}

    def take_in_folders(self, at_start: bool = True) -> list[str]:
        """Folders that the database does not know are taken in, rows without a folder go; returns the ids of these.

        Not one that somebody is still copying, and none that cannot be understood: that is told once."""
        there = {name for name in os.listdir(self.home / "jobs") if not name.startswith(".")}
        with Sessions() as session:
            known = set(session.scalars(select(JobRow.id)))
        gone = sorted(known - there)
        if gone:
            with Sessions.begin() as session:
                session.execute(delete(JobRow).where(JobRow.id.in_(gone)))
        for folder in map(self.folder, sorted(there - known - self._not_understood)):
            if not (folder.path / "job.json").is_file() or not (
                at_start or folder.worker_lives() or _is_quiet(folder)
            ):
                continue
            try:
                self._take_in(folder)
            except (ValueError, KeyError, TypeError) as problem:
                self._not_understood.add(folder.id)
                why = f"{type(problem).__name__}: {problem}"
                logging.getLogger(__name__).warning(
                    "The folder %s is left alone, as it is no job: %s", folder.path, why
                )
        return gone

    def catch_up(self, row: JobRow) -> tuple[str, list[Event], int]:
        """Take what is new in a job's log into its row: its state now, the new events, and the offset behind them."""
        folder = self.folder(row.id)
        if folder.size() < row.offset:  # It is another log: a folder that was put back from a copy.
            self._take_in(folder)
            taken = self.get(row.id)
            assert taken is not None
            return taken.state, list(read(folder.events)), taken.offset
        events, offset = read_from(folder.events, row.offset)
        if not events:
            return row.state, [], offset
        with Sessions.begin() as session:
            fresh = session.get(JobRow, row.id)
            if fresh is None:
                return row.state, [], offset  # It was deleted meanwhile.
            view = fresh.view
            for event in events:
                view = fold(view, event)
            fresh.view, fresh.state, fresh.offset = view, view["state"], offset
            _let_lists_know(fresh)
        return str(view["state"]), events, offset

    def get(self, id: str) -> JobRow | None:
        with Sessions() as session:
            return (
                session.get(JobRow, id) if "\0" not in id else None
            )  # PostgreSQL has no such text.

    def find(
        self,
        kind: str = "",
        states: frozenset[str] = frozenset(),
        q: str = "",
        limit: int = 100,
        before: str = "",
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

    def counts(self) -> dict[tuple[str, str], int]:
        """How many jobs there are, by kind and state."""
        with Sessions() as session:
            found = session.execute(
                select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state)
            )
            return {(kind, state): number for kind, state, number in found}

    def describe(self, id: str, **words: str) -> None:
        """Change a job's name, group or notes: what it is called, not what it does."""
        self._rewrite(id, words)

    def waiting(self) -> list[JobRow]:
        """The jobs that wait for a worker, in the order in which they start."""
        waiting = self.find(states=frozenset({"waiting"}), limit=100_000)
        return in_order([row for row in waiting if row.id not in self.launched])

    def queue(self, id: str, **words: Any) -> None:
        """Say something of when a waiting job starts (app/catalog/queue.py). Raises Refused, ValueError."""
        row = self.get(id)
        if row is None or row.state != "waiting" or id in self.launched:
            raise Refused("The job does not wait any more.")
        self._rewrite(
            id, {}, Queue.model_validate({**row.queue, **words}).model_dump(exclude_defaults=True)
        )
        self.waits.set()

    def move(self, id: str, before: str | None) -> None:
        """Let a waiting job start just before another one, or behind all. Raises Refused."""
        try:
            changes = reordered(self.waiting(), id, before)
        except KeyError as error:
            raise Refused("One of the two jobs does not wait any more.") from error
        for other, words in changes.items():
            self.queue(other, **words)

    def _rewrite(
        self, id: str, values: Mapping[str, Any], queue: dict[str, Any] | None = None
    ) -> None:
        """Change fields of a job's spec, or what is said of when it starts, in its folder and in the database."""
        path = self.folder(id).path / "job.json"
        job = json.loads(path.read_text(encoding="utf-8"))
        job = {**job, "name": values.get("name", job["name"]), "spec": {**job["spec"], **values}}
        if queue is not None:
            job["queue"] = queue
        draft = path.with_name(".job.json")
        draft.write_text(json.dumps(job, indent=1), encoding="utf-8")
        draft.replace(path)
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.name, row.spec, row.queue = job["name"], job["spec"], job.get("queue", {})
            _let_lists_know(row)

    def abort(self, id: str, why: str = BY_USER) -> None:
        """A waiting job is aborted at once; a running one is asked to end, then killed."""
        row = self.get(id)
        if row is None or row.state in FINAL_STATES:
            raise Refused("The job has ended already.")
        self._must_be_there(id)
        self.aborting.add(id)
        gevent.spawn(self._stop, self.folder(id), GRACE[row.kind], why)

    def _stop(self, folder: JobFolder, grace: float, why: str) -> None:
        launcher.stop(folder, grace)
        self.write_end(folder, "aborted", why)
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
            raise Refused(
                f"There is no snapshot {snapshot} to go on from. There are: {', '.join(there) or 'none'}."
            )
        self._wait_again(id, **({"resume_from": snapshot} if snapshot else {}))

    def extend(self, id: str, length: str, value: float) -> None:
        """Let a training that has ended go on from its last snapshot, to a length beyond the planned one. Raises Refused."""
        row = self.get(id)
        if row is None or row.state not in FINAL_STATES:
            raise Refused(
                "The training has not ended yet. Train it longer when it has, or abort it first."
            )
        if not row.view["summary"].get("snapshots"):
            raise Refused("There is no snapshot to go on from. Clone the model instead.")
        self._wait_again(id)
        self._rewrite(id, {length: value})

    def _must_be_there(self, id: str) -> None:
        if not self.folder(id).path.exists():
            raise Refused("The job's folder was taken away: there is nothing left of it.")

    def _wait_again(self, id: str, **wanted: str) -> None:
        self._must_be_there(id)
        if id in self.aborting or self.folder(id).worker_lives():
            raise Refused("Its worker is just ending. Try again in a moment.")
        with EventLog(self.folder(id).events) as log:
            log.append("state", state="waiting", reason="", **wanted)
        with Sessions.begin() as session:
            row = session.get_one(JobRow, id)
            row.state = "waiting"
        self.launched.discard(id)
        self.waits.set()

    def remove_snapshot(self, id: str, name: str) -> list[Event]:
        """Delete one snapshot of a training that is not at work, which alone may write its log. Returns what the log says of it.

        Raises Refused."""
        self._must_be_there(id)
        row, folder = self.get(id), self.folder(id)
        if row is None or name not in [
            one["snapshot"] for one in row.view["summary"].get("snapshots", [])
        ]:
            raise Refused(f"There is no snapshot {name}: it may have been deleted before.")
        for other in self.find("model", frozenset({"waiting"}), limit=100_000):
            if other.spec["start_from"] == id and other.spec["start_snapshot"] == name:
                raise Refused(
                    f"“{other.name}” waits to start from it. Delete the snapshot when that has begun."
                )
        lock = folder.lock() if row.state in FINAL_STATES else None
        if lock is None:
            raise Refused(
                f"The training is {row.state}. Delete the snapshot when it has ended, or abort it first."
            )
        with open(lock, "rb"):
            with EventLog(folder.events) as log:
                log.append("removed", snapshots=[name])
            for place in (folder.snapshots, folder.exports):
                for path in place.glob(f"{glob.escape(name)}.*"):
                    path.unlink()
        return self.catch_up(row)[1]

    def users(self, id: str) -> list[JobRow]:
        """The models that were or are to be trained on a dataset."""
        return [
            row
            for row in self.find("model", limit=100_000)
            if id in (row.spec["dataset"], *row.spec["more_datasets"])
        ]

    def sweep(self, id: str) -> list[JobRow]:
        """The trainings of a sweep, in the order in which they were made."""
        return [
            row for row in reversed(self.find("model", limit=100_000)) if row.spec["sweep"] == id
        ]

    def delete(self, id: str) -> None:
        """Remove a job and its folder; a running one is aborted first."""
        row = self.get(id)
        if not self.folder(id).path.exists():
            self._forget(id)
            return
        users = self.users(id) if row is not None and row.kind == "dataset" else []
        if users:
            names = ", ".join(f"“{user.name}”" for user in users)
            raise Refused(f"The dataset is used by the models {names}. Delete them first.")
        folder = self.folder(id)
        launcher.stop(folder)
        # Gone at one stroke: half a folder would be half a job to the next server.
        going = folder.path.rename(folder.path.with_name(GONE + id))
        self._forget(id)
        shutil.rmtree(going)

    def _forget(self, id: str) -> None:
        with Sessions.begin() as session:
            session.execute(delete(JobRow).where(JobRow.id == id))


def _is_quiet(folder: JobFolder) -> bool:
    newest = max(path.stat().st_mtime for path in (folder.path, *folder.path.iterdir()))
    return abs(time.time() - newest) > QUIET


def row_of(folder: JobFolder) -> JobRow:
    """The row of a folder, with all that its log says."""
    job = folder.read()
    folder.spec()  # Raises ValueError where it is none of this version's.
    view, (events, offset) = empty(), read_from(folder.events, 0)
    if not events:
        raise ValueError("its event log is missing or empty")
    for event in events:
        view = fold(view, event)
    row = JobRow(
        id=folder.id,
        kind=job["kind"],
        name=job["name"],
        created=job["created"],
        state=view["state"],
    )
    row.spec, row.view, row.offset = job["spec"], view, offset
    row.queue = Queue.model_validate(job.get("queue", {})).model_dump(exclude_defaults=True)
    _let_lists_know(row)
    return row


def _let_lists_know(row: JobRow) -> None:
    for name, value in listed(row.kind, row.spec, row.view).items():
        setattr(row, name, value)


def as_json(row: JobRow, brief: bool = False) -> dict[str, Any]:
    """A job as the API and the pages see it; `brief`, for lists, is without its layers, samples and list of snapshots."""
    shown = {
        key: row.view[key]
        for key in ("reason", "progress", "summary", "seq", "started", "finished")
    }
    if not brief:
        shown["history"] = row.view["history"]
    else:
        long = (
            "layers",
            "samples",
            "snapshots",
            "worst_pairs",
            "best_pairs",
            "sources",
            "skipped_first",
            "psnr_histogram",
        )
        shown["summary"] = {
            key: value for key, value in shown["summary"].items() if key not in long
        }
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "created": row.created,
        "queue": row.queue,
        "spec": row.spec,
        **shown,
    }
