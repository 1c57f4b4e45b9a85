"""The client of a server: datasets, trainings, tests, restorations, exports and uploads."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from clearframe import uploads
from clearframe.connection import Connection
from clearframe.job import Job

if TYPE_CHECKING:
    from app.answers import Exported, Preview, Probe
    from app.answers import Job as JobAnswer

LOCAL = "http://127.0.0.1:5000"
PAGE = 500
"""Jobs a request."""


class Client:
    """A Clearframe server.

    `server` is its address, by default that in CLEARFRAME_SERVER, else http://127.0.0.1:5000;
    `token` by default that in CLEARFRAME_TOKEN. `notify` gets a sentence when the server restarts
    and the client waits for it, for at most `patience` seconds.

    Methods raise ApiError if the server refuses, and Unreachable if there is none.
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        patience: float = 60.0,
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        address = server or os.environ.get("CLEARFRAME_SERVER") or LOCAL
        self.connection = Connection(address, token, patience, notify)
        self.jobs = Jobs(self.connection)
        self.datasets = Datasets(self.connection)
        self.models = Models(self.connection)
        self.tests = Tests(self.connection)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open: each request has a connection of its own."""

    def upload(self, path: str | Path, progress: uploads.Progress | None = None) -> str:
        """Upload a file or a folder; return its path on the server, for specs.

        `progress` is called with the bytes that the server has and those of the whole.
        """
        return uploads.upload(self.connection, Path(path), progress or (lambda sent, total: None))


class _Part:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class Jobs(_Part):
    """Jobs of every kind."""

    def get(self, id: str) -> Job:
        """The job with this id. It is not checked whether it exists."""
        return Job(self._connection, id)

    def list(
        self, kind: str = "", state: str = "", text: str = "", limit: int | None = None
    ) -> "Iterator[JobAnswer]":
        """Jobs, newest first: of a kind, in a state, with a text in their names."""
        cursor: str | None = ""
        while cursor is not None and limit != 0:
            size = PAGE if limit is None else min(limit, PAGE)
            wanted = {"kind": kind, "state": state, "q": text, "limit": size, "cursor": cursor}
            given = {name: value for name, value in wanted.items() if value}
            page = self._connection.call(f"/jobs?{urlencode(given)}")
            yield from page["jobs"]
            cursor = page["cursor"]
            limit = None if limit is None else limit - len(page["jobs"])


class Datasets(_Part):
    """Datasets of (damaged, original) pairs."""

    def create(self, name: str, source: dict[str, Any], **settings: Any) -> Job:
        """Create a dataset, such as from {"kind": "stream", "stream": PATH, "originals": PATH}."""
        spec = {"name": name, "source": source, **settings}
        return Job(self._connection, self._connection.create("/datasets", spec)["id"])

    def export(self, dataset: str | Job, out: Path, format: str = "png") -> None:
        """Download its pairs as a ZIP: png, basicsr, caffe, webdataset or parquet."""
        path = f"/api/v1/datasets/{quote(_id(dataset), safe='')}/pairs/zip"
        self._connection.download(f"{path}?{urlencode({'format': format})}", out)

    def probe(self, source: dict[str, Any], **settings: Any) -> "Probe":
        """Look at the sources of a dataset without creating it."""
        found: Probe = self._connection.call("/probe", {"source": source, **settings})
        return found


class Models(_Part):
    """Trained networks."""

    def create(self, name: str, dataset: str | Job, **settings: Any) -> Job:
        """Train a network on a dataset, which may still be in the making."""
        return self.sweep(name, dataset, **settings)[0]

    def sweep(self, name: str, dataset: str | Job, **settings: Any) -> list[Job]:
        """Train one network for each combination of learning rates and batch sizes.

        Such as solver={"name": "adam", "learning_rate": "0.001, 0.0003"}.
        """
        spec = {"name": name, "dataset": _id(dataset), **settings}
        ids = self._connection.create("/models", spec)["ids"]
        return [Job(self._connection, id) for id in ids]

    def preview(self, **settings: Any) -> "Preview":
        """What a training would be: its network, learning rates, steps and time."""
        shown: Preview = self._connection.call("/models/preview", settings)
        return shown

    def check_start(self, dataset: str | Job, start_file: str, **settings: Any) -> list[str]:
        """What a training would take from a file of weights, in words: nothing is created."""
        spec = {"dataset": _id(dataset), "start_file": start_file, "name": "start", **settings}
        return list(self._connection.call("/models/start-file", spec)["sentences"])

    def export(
        self, model: str | Job, format: str = "onnx", out: Path | None = None, **settings: Any
    ) -> "Exported":
        """Export a snapshot for other programs; download it to `out` if that is given.

        `card_url` of the answer is its model card.
        """
        path = f"/models/{quote(_id(model), safe='')}/exports"
        exported: Exported = self._connection.call(path, {"format": format, **settings})
        if out is not None:
            self._connection.download(exported["url"], out)
        return exported


class Tests(_Part):
    """Tests of models and starters, which restore images and videos."""

    def create(
        self, model: str | Job | None = None, starter: str | None = None, **settings: Any
    ) -> Job:
        """Test a model, or a starter, such as with image=PATH or kind="video", video=PATH."""
        if (model is None) == (starter is None):
            raise ValueError("Give exactly one of these: a model, or a starter.")
        place = f"/starters/{starter}" if model is None else f"/models/{quote(_id(model), safe='')}"
        return Job(self._connection, self._connection.create(f"{place}/tests", settings)["id"])


def _id(job: str | Job) -> str:
    return job.id if isinstance(job, Job) else job
