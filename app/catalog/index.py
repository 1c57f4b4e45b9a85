"""The index of a home's jobs: a database row per job, kept in step with its folder and log."""

import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy import delete, func, select

from app.answers import Job, QueueSettings
from app.catalog.database import JobRow, Sessions, all_rows, last_commit
from app.catalog.lists import has_tag, list_columns
from app.catalog.queue import Queue
from app.threads import in_thread
from jobs.core.events import read, read_from
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.core.view import empty, fold, without

QUIET_SECONDS = 5.0
"""A new folder is indexed after this time without a change: until then it may still be copied."""
LIVE = frozenset({"waiting", "running"})
DELETING_PREFIX = ".gone-"
"""Prefix of the name of a folder that is being deleted."""


class Index:
    """The jobs of one home as rows of the database. The folders and event logs are the truth."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.launched: set[str] = set()
        """Ids of the jobs that have a worker, although their logs may not say so yet."""
        self._invalid: set[str] = set()
        """Names of the folders that are not valid jobs; a warning was logged for each."""
        self._starting_over: set[str] = set()
        """Ids of the jobs with another log than before, which a greenlet reads now."""
        self._live: tuple[object, list[JobRow]] = (None, [])
        (home / "jobs").mkdir(parents=True, exist_ok=True)

    def folder(self, id: str) -> JobFolder:
        return JobFolder(self.home / "jobs" / id)

    def synchronize(self) -> None:
        """Bring the database in step with all folders and logs; the server calls it at startup."""
        for path in (self.home / "jobs").glob(f"{DELETING_PREFIX}*"):
            shutil.rmtree(path)
        self.sync_folders()
        for id, offset in all_rows(select(JobRow.id, JobRow.offset)):
            if self.folder(id).size() != offset and (row := self.get(id)) is not None:
                self.catch_up(row)
        # The previous server may have died after it started a worker, before the log says so.
        waiting = self.find(states=frozenset({"waiting"}), limit=None)
        self.launched = {row.id for row in waiting if self.folder(row.id).worker_lives()}

    def sync_folders(self, at_start: bool = True) -> list[str]:
        """Add rows for new folders, delete the rows of removed folders; return the removed ids.

        While the server runs (not `at_start`), skips folders that may still be copied. Skips
        folders that are not valid jobs, with one warning for each.
        """
        on_disk = {name for name in os.listdir(self.home / "jobs") if not name.startswith(".")}
        indexed = {id for (id,) in all_rows(select(JobRow.id))}
        removed = sorted(indexed - on_disk)
        if removed:
            with Sessions.begin() as session:
                session.execute(delete(JobRow).where(JobRow.id.in_(removed)))
        for folder in map(self.folder, sorted(on_disk - indexed - self._invalid)):
            try:
                if (folder.path / "job.json").is_file() and (
                    at_start or folder.worker_lives() or _is_quiet(folder)
                ):
                    self._index_folder(folder)
            except FileNotFoundError:  # Removed since the folders were listed.
                continue
            except (ValueError, KeyError, TypeError) as error:
                self._invalid.add(folder.id)
                reason = f"{type(error).__name__}: {error}"
                logging.getLogger(__name__).warning(
                    "Ignored the folder %s: it is not a valid job (%s). Repair it and restart "
                    "the server, or remove it.",
                    folder.path,
                    reason,
                )
        return removed

    def _index_folder(self, folder: JobFolder) -> None:
        """Insert or replace the row of a folder.

        Raises FileNotFoundError if the folder was removed, and what `row_of` raises.
        """
        try:
            row = in_thread(row_of, folder)
        finally:
            folder.path.stat()  # Another request may have deleted the job: it must not come back.
        if folder.worker_lives():
            self.launched.add(folder.id)
        with Sessions.begin() as session:
            session.merge(row)

    def catch_up(self, row: JobRow, seen: int = 0) -> tuple[str, list[JobEvent], int]:
        """Read the new events of a job's log into its row. `seen`: the bytes that are known.

        Returns the job's state, the new events, and the byte offset behind them.
        """
        folder = self.folder(row.id)
        known = max(row.offset, seen)
        if folder.size() < known:  # A different log: the folder was restored from a copy.
            return self._start_over(row, folder)
        events, offset = read_from(folder.events, known)
        if not events:
            return row.state, [], offset
        with Sessions.begin() as session:
            stored = session.get(JobRow, row.id)
            if stored is None:  # Another request deleted the job.
                return row.state, [], offset
            view = stored.view
            for event in events:
                view = fold(view, event)
            stored.view, stored.state, stored.offset = view, view["state"], offset
            update_list_columns(stored)
        return str(view["state"]), events, offset

    def _start_over(self, row: JobRow, folder: JobFolder) -> tuple[str, list[JobEvent], int]:
        """As `catch_up`, for a log that is another than the one that was read before.

        Only one of the greenlets that come here for a job returns its events.
        """
        stored = self.get(row.id)
        if stored is None:  # Another request deleted the job.
            return _without_news(row)
        if row.id in self._starting_over or stored.offset <= folder.size():
            return _without_news(stored)
        self._starting_over.add(row.id)
        try:
            self._index_folder(folder)
        except FileNotFoundError:
            return _without_news(stored)
        finally:
            self._starting_over.discard(row.id)
        indexed = self.get(row.id)
        assert indexed is not None
        last = indexed.view["seq"]
        events = [event for event in read(folder.events) if event["seq"] <= last]
        return indexed.state, events, indexed.offset

    def get(self, id: str) -> JobRow | None:
        with Sessions() as session:
            # PostgreSQL rejects texts with a NUL character.
            return session.get(JobRow, id) if "\0" not in id else None

    def last_read(self, id: str) -> int:
        """The number of the last event of a job that its row contains; 0 without a row."""
        row = self.get(id)
        return row.view["seq"] if row is not None else 0

    def find(
        self,
        kind: str = "",
        states: frozenset[str] = frozenset(),
        q: str = "",
        limit: int | None = 100,
        before: str = "",
        tag: str = "",
        owner: str = "",
    ) -> list[JobRow]:
        """Return jobs, newest first; `limit` None returns all.

        `q` is a part of the name. `before` is the last id of the previous page.
        """
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if kind:
            query = query.where(JobRow.kind == kind)
        if states:
            query = query.where(JobRow.state.in_(states))
        if q:
            query = query.where(JobRow.name.icontains(q, autoescape=True))
        if tag:
            query = query.where(has_tag(tag))
        if owner:
            query = query.where(JobRow.owner == owner)
        if before:
            query = query.where(JobRow.id < before)
        return [row for (row,) in all_rows(query)]

    def live(self) -> list[JobRow]:
        """The waiting and running jobs, newest first: the same rows until the next commit.

        Background loops ask many times a second. They must not change the rows.
        """
        commit = last_commit()
        if commit is not self._live[0]:
            self._live = commit, self.find(states=LIVE, limit=None)
        return self._live[1]

    def names(self, kind: str, start: str) -> list[str]:
        """The names of jobs that begin with a text."""
        names = all_rows(
            select(JobRow.name).where(
                JobRow.kind == kind, JobRow.name.startswith(start, autoescape=True)
            )
        )
        return [name for (name,) in names]

    def counts(self) -> dict[tuple[str, str], int]:
        """Count the jobs by kind and state."""
        groups = all_rows(
            select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state)
        )
        return {(kind, state): count for kind, state, count in groups}

    def _delete_row(self, id: str) -> None:
        with Sessions.begin() as session:
            session.execute(delete(JobRow).where(JobRow.id == id))


def _without_news(row: JobRow) -> tuple[str, list[JobEvent], int]:
    return row.state, [], row.offset


def _is_quiet(folder: JobFolder) -> bool:
    newest = max(path.stat().st_mtime for path in (folder.path, *folder.path.iterdir()))
    return abs(time.time() - newest) > QUIET_SECONDS


def row_of(folder: JobFolder) -> JobRow:
    """Build the row of a folder from its job.json and its whole event log.

    Raises ValueError, KeyError or TypeError if the folder is not a valid job.
    """
    job = folder.read()
    folder.spec()  # Raises ValueError if this version cannot read the spec.
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
        owner=job.get("owner", ""),
        state=view["state"],
    )
    row.spec, row.view, row.offset = indexed_spec(job["spec"]), view, offset
    queue = Queue.model_validate(job.get("queue", {}))
    row.queue = cast(QueueSettings, queue.model_dump(exclude_defaults=True))
    update_list_columns(row)
    return row


def indexed_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without the entries of manifests: thousands of paths, which job.json keeps."""
    return {
        key: indexed_spec(value) if isinstance(value, dict) else value
        for key, value in spec.items()
        if key != "entries"
    }


def update_list_columns(row: JobRow) -> None:
    for name, value in list_columns(row.kind, row.spec, row.view).items():
        setattr(row, name, value)


LARGE = frozenset(
    {
        "layers",
        "rates",
        "samples",
        "snapshots",
        "worst_pairs",
        "best_pairs",
        "sources",
        "skipped_first",
        "psnr_histogram",
    }
)
"""The parts of a summary that lists leave out."""


MAX_LISTED = 100


def _without_long_lists(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in spec.items()
        if not isinstance(value, list) or len(value) <= MAX_LISTED
    }


def as_json(row: JobRow, brief: bool = False) -> Job:
    """A job as the API and the pages show it.

    `brief`, for lists, leaves out the history, the LARGE parts of the summary, and lists of more
    than MAX_LISTED values in the spec.
    """
    view = row.view
    job: Job = {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "created": row.created,
        "owner": row.owner,
        "queue": row.queue,
        "spec": _without_long_lists(row.spec) if brief else row.spec,
        "reason": view["reason"],
        "progress": view["progress"],
        "summary": without(view["summary"], LARGE) if brief else view["summary"],
        "seq": view["seq"],
        "started": view["started"],
        "finished": view["finished"],
    }
    return job if brief else {**job, "history": view["history"]}
