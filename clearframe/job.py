"""A job of a server: its state, its events until its end, and what can be done with it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clearframe.connection import Connection

if TYPE_CHECKING:
    from app.answers import Job as JobAnswer
    from jobs.core.types.events import JobEvent
    from jobs.core.types.samples import Pinned
    from jobs.core.types.summaries import JobSummary

FINAL = frozenset({"done", "error", "aborted"})
SHORTEST, LONGEST = 0.1, 1.0
"""Seconds between two requests for events. They become longer while nothing happens."""


class JobFailed(Exception):
    """A job ended without being done; `job` is the server's answer, the message its reason."""

    def __init__(self, job: "JobAnswer") -> None:
        super().__init__(job["reason"] or f"The job ended in the state {job['state']}.")
        self.job = job


class Job:
    """A job of a server. Each property asks the server: `read` gets all with one request."""

    def __init__(self, connection: Connection, id: str) -> None:
        self._connection = connection
        self.id = id

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"{self._connection.server}/jobs/{self.id}"

    def read(self) -> "JobAnswer":
        """The whole job as the server describes it. Raises ApiError, Unreachable."""
        answer: JobAnswer = self._call("")
        return answer

    @property
    def name(self) -> str:
        return self.read()["name"]

    @property
    def state(self) -> str:
        """waiting, running, done, error or aborted."""
        return self.read()["state"]

    @property
    def summary(self) -> "JobSummary":
        return self.read()["summary"]

    def events(self, since: int = 0) -> "Iterator[JobEvent]":
        """Its events after number `since` as they come, until it has ended.

        A server that restarts in between loses none. Raises ApiError, Unreachable.
        """
        pause, ended = SHORTEST, False
        while True:
            answer = self._call(f"/events?since={since}")
            for event in answer["events"]:
                if event["type"] == "state":  # A job that was resumed has ended before.
                    ended = event["state"] in FINAL
                yield event
            since = answer["seq"]
            if ended:
                return
            pause = SHORTEST if answer["events"] else min(1.5 * pause, LONGEST)
            time.sleep(pause)

    def wait(self, progress: bool = False) -> "JobAnswer":
        """Wait for its end; return it. With `progress`, print how far it is to stderr.

        Raises JobFailed unless it is done.
        """
        for event in self.events():
            if progress and event["type"] == "progress":
                total = f" of {event['total']:,}" if event["total"] else ""
                print(f"{event['done']:,}{total} {event['unit']}", file=sys.stderr)
        # The server lists the end of a job a moment after the log has it.
        while (job := self.read())["state"] not in FINAL:
            time.sleep(SHORTEST)
        if job["state"] != "done":
            raise JobFailed(job)
        return job

    def log(self) -> str:
        """The end of the output of its worker, at most 64 KiB."""
        return str(self._call("/log")["text"])

    def abort(self) -> None:
        """Abort it. Finished work is kept."""
        self._call("/abort", {})

    def resume(self, snapshot: str = "") -> None:
        """Continue after a failure or an abort; a training from that snapshot or its last."""
        self._call("/resume", {"snapshot": snapshot})

    def extend(self, **length: float) -> None:
        """Train longer than planned: one of epochs, steps or minutes, the new total."""
        self._call("/extend", length)

    def change(self, **labels: Any) -> None:
        """Change its name, group, tags or notes."""
        self._call("", labels, "PATCH")

    def pinned(self) -> "list[Pinned]":
        """The samples of a training that users have pinned."""
        return list(self._call("/samples", of="models")["samples"])

    def pin(self, pair: int, region: dict[str, int] | None = None) -> "Pinned":
        """Pin a validation pair, or a region of it: the training shows it from then on.

        A region is such as {"left": 64, "top": 0, "width": 128, "height": 128}, in pixels.
        """
        body = {"pair": pair, "region": region}
        pinned: Pinned = self._call("/samples", body, of="models")
        return pinned

    def unpin(self, index: int) -> None:
        """Unpin the sample with this index."""
        self._call(f"/samples/{index}", method="DELETE", of="models")

    def delete(self) -> None:
        """Delete it and its files."""
        self._call("", method="DELETE")

    def download(self, url: str, out: Path) -> None:
        """Download a file that its summary names, such as `output`."""
        self._connection.download(url, out)

    def _call(
        self, path: str, body: Any = None, method: str | None = None, of: str = "jobs"
    ) -> Any:
        return self._connection.call(f"/{of}/{quote(self.id, safe='')}{path}", body, method)
