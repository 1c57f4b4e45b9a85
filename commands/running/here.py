"""The jobs of a local home, without a server: their folders, and their workers on this machine."""

import functools
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.catalog import home_lock, pins, worker_log
from app.catalog.catalog import BY_USER, Catalog
from app.catalog.database import JobRow, connect
from app.catalog.home_lock import HomeInUse
from app.catalog.index import as_json, row_of
from app.checks.inference import checked_pin
from app.forms.extending import new_length
from app.settings import Settings
from app.validation_errors import validate
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import FINAL_STATES, read_from
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.core.types.samples import Pinned
from jobs.specs import JobSpec
from jobs.specs.samples import PinnedSample

INTERVAL = 0.1
"""Seconds between two reads of the events."""
GRACE = 60.0
"""Seconds that a worker has to end by itself: a training writes a snapshot."""


@dataclass(frozen=True)
class Here:
    """A home and what can be done with its jobs."""

    home: Path

    @property
    def where(self) -> str:
        return f"in {self.home}"

    def find(self, id: str) -> JobRow | None:
        """The job with that id, with the state from its log; None if it does not exist."""
        folder = JobFolder(self.home / "jobs" / id)
        return row_of(folder) if id and (folder.path / "job.json").is_file() else None

    def jobs(
        self, kind: str = "", state: str = "", text: str = "", limit: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """The jobs as the API lists them, newest first."""
        for path in sorted((self.home / "jobs").glob("*/job.json"), reverse=True):
            if limit == 0:
                return
            if path.parent.name.startswith("."):
                continue
            job = JobFolder(path.parent).read()
            if (kind and job["kind"] != kind) or text.lower() not in job["name"].lower():
                continue
            row = row_of(JobFolder(path.parent))
            if not state or row.state == state:
                yield as_json(row, brief=True)
                limit = None if limit is None else limit - 1

    def job(self, id: str) -> Mapping[str, Any]:
        return as_json(self._row(id))

    def _row(self, id: str) -> JobRow:
        row = self.find(id)
        if row is None:
            raise click.ClickException(f"No job {id} in {self.home}. Set --home or --server.")
        return row

    def address(self, id: str) -> str:
        """Where the job is, for a person."""
        return str(self.home / "jobs" / id)

    def file(self, url: str) -> str:
        """The path of a job's file, for a person; `url` is as in a summary."""
        return str(self.home / url.removeprefix("/").replace("/files/", "/", 1))

    def create(self, kind: str, spec: JobSpec) -> str:
        """Create a job and start its worker."""
        folder = folders.create(self.home, kind, spec)
        launcher.start(folder)
        return folder.id

    def events(self, id: str, since: int = 0) -> Iterator[JobEvent]:
        """The events of a job after number `since` as they come, until it has ended."""
        folder, offset, state = JobFolder(self.home / "jobs" / id), 0, "waiting"
        while True:
            alive = folder.worker_lives()
            events, offset = read_from(folder.events, offset)
            for event in events:
                state = event["state"] if event["type"] == "state" else state
                if event["seq"] > since:
                    yield event
            if state in FINAL_STATES:
                return
            if (
                not alive
                and not events
                and (state == "running" or not home_lock.is_held(self.home))
            ):
                lines = folder.worker_log.read_text(errors="replace").strip().splitlines()
                raise click.ClickException(
                    f"The worker exited unexpectedly: {lines[-1]}"
                    if lines
                    else "The worker exited unexpectedly; its log is empty."
                )
            time.sleep(INTERVAL)

    def interrupt(self, id: str) -> str:
        """Ctrl-C aborts a job of this machine. Returns a sentence for the user."""
        launcher.stop(JobFolder(self.home / "jobs" / id))
        resume = f"clearframe jobs resume {id} --home {shlex.quote(str(self.home))}"
        return f"Aborted. Finished work is kept: `{resume}` continues it."

    def log(self, id: str) -> str:
        self._row(id)
        return worker_log.part(JobFolder(self.home / "jobs" / id).worker_log, None)["text"]

    def abort(self, id: str) -> None:
        row = self._row(id)
        if row.state in FINAL_STATES:
            raise click.ClickException(f"{id}: The job has already ended.")
        folder = JobFolder(self.home / "jobs" / id)
        launcher.stop(folder, GRACE)
        Catalog(self.home).write_end(folder, "aborted", BY_USER)

    def resume(self, id: str, snapshot: str = "") -> None:
        self._row(id)
        self._catalog.resume(id, snapshot)
        launcher.start(JobFolder(self.home / "jobs" / id))

    def extend(self, id: str, values: dict[str, Any]) -> None:
        length, value = new_length(self._row(id), values)
        self._catalog.extend(id, length, value)
        launcher.start(JobFolder(self.home / "jobs" / id))

    def delete(self, id: str) -> None:
        self._row(id)
        self._catalog.delete(id)

    def pinned(self, id: str) -> list[Pinned]:
        self._row(id)
        return JobFolder(self.home / "jobs" / id).pinned()["samples"]

    def pin(self, id: str, pair: int, region: dict[str, int] | None) -> Pinned:
        sample = validate(PinnedSample, {"pair": pair, "region": region})
        checked = checked_pin(sample, self._row(id), self._catalog)
        return pins.add(JobFolder(self.home / "jobs" / id), checked)

    def unpin(self, id: str, index: int) -> None:
        self._row(id)
        if self._catalog and not pins.remove(JobFolder(self.home / "jobs" / id), index):
            raise click.ClickException(f"No sample {index} is pinned.")

    @functools.cached_property
    def _catalog(self) -> Catalog:
        """The catalog of the home, for changes that a server must not make at the same time."""
        try:
            home_lock.hold(self.home)
        except HomeInUse as error:
            raise click.ClickException(
                f"A server uses the home {self.home}. Use this command with --server."
            ) from error
        connect(Settings(home=self.home).database, self.home)
        catalog = Catalog(self.home)
        catalog.synchronize()
        return catalog
