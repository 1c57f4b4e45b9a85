"""The jobs of a server, for commands with --server: through the client of programs."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from pydantic import BaseModel

from clearframe import ApiError, Client, Job
from commands.running.local_files import Values, absolute, local_files, path_fields, replaced
from commands.running.progress import ProgressLine
from commands.running.refusals import UNPROCESSABLE, Interrupted
from jobs.core.types.events import JobEvent
from jobs.core.types.samples import Pinned

PATIENCE = 600.0
"""Seconds to wait for a server that restarts."""
MIB = 2**20


@dataclass
class There:
    """A server and what can be done with its jobs. Methods raise ApiError, Unreachable."""

    server: str

    def __post_init__(self) -> None:
        self.client = Client(self.server, patience=PATIENCE, notify=_say)

    @property
    def where(self) -> str:
        return f"on {self.server}"

    def jobs(
        self, kind: str = "", state: str = "", text: str = "", limit: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Its jobs, newest first."""
        yield from self.client.jobs.list(kind, state, text, limit)

    def job(self, id: str) -> Mapping[str, Any]:
        return self._job(id).read()

    def address(self, id: str) -> str:
        return self._job(id).url

    def file(self, url: str) -> str:
        """The address of a job's file, for a person; `url` is as in a summary."""
        return self.client.connection.server + url

    def events(self, id: str, since: int = 0) -> Iterator[JobEvent]:
        yield from self._job(id).events(since)

    def interrupt(self, id: str) -> NoReturn:
        """Ctrl-C leaves the job to the server."""
        follow, abort = (
            f"clearframe jobs {verb} {id} --server {self.server}" for verb in ("wait", "abort")
        )
        raise Interrupted(
            f"Interrupted. The job continues on the server. Follow it with `{follow}`, or abort "
            f"it with `{abort}`."
        )

    def log(self, id: str) -> str:
        return self._job(id).log()

    def abort(self, id: str) -> None:
        self._job(id).abort()

    def resume(self, id: str, snapshot: str = "") -> None:
        self._job(id).resume(snapshot)

    def extend(self, id: str, values: dict[str, Any]) -> None:
        self._job(id).extend(**values)

    def delete(self, id: str) -> None:
        self._job(id).delete()

    def pinned(self, id: str) -> list[Pinned]:
        return self._job(id).pinned()

    def pin(self, id: str, pair: int, region: dict[str, int] | None) -> Pinned:
        return self._job(id).pin(pair, region)

    def unpin(self, id: str, index: int) -> None:
        self._job(id).unpin(index)

    def _job(self, id: str) -> Job:
        return self.client.jobs.get(id)

    def post(self, path: str, values: Values, spec: type[BaseModel]) -> Any:
        """Send a spec, and return the answer of the server.

        Files of this machine that the server cannot read are uploaded first. The server says which
        those are: it refuses a field whose value is the path of a file here.
        """
        fields, uploaded = path_fields(spec), dict[str, str]()
        values = replaced(values, fields, absolute)
        while True:
            try:
                sent = replaced(values, fields, lambda text: uploaded.get(text, text))
                return self.client.connection.create(path, sent)
            except ApiError as error:
                missing = local_files(values, error.fields, fields) - uploaded.keys()
                if error.status != UNPROCESSABLE or not missing:
                    raise
                for text in sorted(missing):
                    uploaded[text] = self.upload(Path(text))

    def upload(self, file: Path) -> str:
        """Upload a file or folder of this machine, and say so; return its path on the server."""
        _say(f"Uploading {file}: {self.server} cannot read it here")
        line, began = ProgressLine(), time.monotonic()

        def show(sent: int, total: int) -> None:
            rate = sent / max(time.monotonic() - began, 1e-3)
            line.progress(
                {
                    "done": sent >> 20,
                    "total": max(total >> 20, 1),
                    "unit": "MiB",
                    "rate": rate / MIB,
                    "eta": (total - sent) / max(rate, 1),
                }
            )

        path = self.client.upload(file, show)
        line.close()
        return path


def _say(text: str) -> None:
    click.echo(text, err=True)
