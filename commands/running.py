"""Execution of jobs from the command line, in a local home or on a server."""

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from app.catalog.database import JobRow
from app.catalog.index import row_of
from app.forms.command_line import option_name
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import FINAL_STATES, last_state, read_from
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.core.types.summaries import View
from jobs.core.view import empty, fold
from jobs.specs import JobSpec

INTERVAL = 0.1
"""Seconds between two reads of the events."""


def find_in(home: Path, id: str) -> JobRow | None:
    """The job of a home with that id, with the state from its log; None if it does not exist."""
    folder = JobFolder(home / "jobs" / id)
    return row_of(folder) if (folder.path / "job.json").is_file() else None


def run_here(home: Path, kind: str, spec: JobSpec) -> View:
    """Create the job's folder in a home, run its worker, and print its progress.

    Ctrl-C aborts the job.
    """
    folder = folders.create(home, kind, spec)
    click.echo(f"{folder.id}  {folder.path}", err=True)
    launcher.start(folder)
    try:
        return show_progress(_events_here(folder))
    except KeyboardInterrupt:
        launcher.stop(folder)
        return show_progress(iter([_last(folder)]))


def _events_here(folder: JobFolder) -> Iterator[JobEvent]:
    offset = 0
    while True:
        alive = folder.worker_lives()
        events, offset = read_from(folder.events, offset)
        yield from events
        if not alive and not events:
            lines = folder.worker_log.read_text(errors="replace").strip().splitlines()
            raise click.ClickException(
                f"The worker exited unexpectedly: {lines[-1]}"
                if lines
                else "The worker exited unexpectedly; its log is empty."
            )
        time.sleep(INTERVAL)


def _last(folder: JobFolder) -> JobEvent:
    return last_state(folder.events) or {
        "seq": 1,
        "time": time.time(),
        "type": "state",
        "state": "aborted",
        "reason": "",
    }


def run_on(server: str, path: str, body: dict[str, Any]) -> View:
    """Create the job on a server, and print its progress until it ends."""
    return follow(server, call(server, path, body)["id"])


def follow(server: str, id: str) -> View:
    """Print the progress of a server's job until it ends."""
    click.echo(f"{id}  {server}/jobs/{id}", err=True)
    return show_progress(_events_on(server, id))


def _events_on(server: str, id: str) -> Iterator[JobEvent]:
    seq = 0
    while True:
        answer = call(server, f"/jobs/{id}/events?since={seq}")
        yield from answer["events"]
        seq = answer["seq"]
        time.sleep(INTERVAL)


def call(server: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON response of a server. Raises ClickException with the server's error message."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.rstrip('/')}/api/v1{path}", data, {"Content-Type": "application/json"}
    )
    with _response(server, request) as response:
        return json.load(response)


def download(server: str, url: str, out: Path) -> None:
    """Download a file from a server. An incomplete file is never left under the name `out`.

    Raises ClickException, or OSError if the file cannot be written.
    """
    draft = out.with_name(f".{out.name}.part")
    with (
        _response(server, urllib.request.Request(f"{server.rstrip('/')}{url}")) as response,
        draft.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)
        if response.length:
            raise click.ClickException(
                f"{server} closed the connection {response.length} bytes "
                "before the end of the file. Try again."
            )
    draft.replace(out)


@contextmanager
def _response(server: str, request: urllib.request.Request) -> Iterator[Any]:
    """The open response of a server. Sends the token in CLEARFRAME_TOKEN, if set.

    Raises ClickException with the server's error message.
    """
    try:
        if token := os.environ.get("CLEARFRAME_TOKEN"):
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise click.ClickException(
                _refusal(error.read())
                or f"{server} is not a Clearframe server: {error}. Check the URL."
            ) from error
    except (urllib.error.URLError, ValueError) as error:
        raise click.ClickException(
            f"No Clearframe server responds at {server}: {error}. Check the URL."
        ) from error


def _refusal(body: bytes) -> str:
    """The error message of a Clearframe server; empty for any other server."""
    try:
        error = json.loads(body)["error"]
        return sentences(error["fields"]) or str(error["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def sentences(problems: dict[str, str]) -> str:
    """The problems as lines, each with the option that causes it."""
    return "\n".join(
        f"{option_name(field)}: {text}" if field else text for field, text in problems.items()
    )


def show_progress(events: Iterator[JobEvent]) -> View:
    """Print a job's progress as a bar and its messages as lines until it ends.

    Returns the job's view. Raises ClickException if the job failed.
    """
    view = empty()
    drawn: Any = click.progressbar(
        length=1000,
        show_pos=False,
        show_percent=True,
        item_show_func=_progress_text,
        file=sys.stderr,
    )
    with drawn as bar:
        for event in events:
            view = fold(view, event)
            if event["type"] == "message":
                click.echo(f"\n{event['text']}", err=True)
            if event["type"] == "progress" and event["total"]:
                bar.pos = 0
                bar.update(int(1000 * event["done"] / event["total"]), event)
            if view["state"] in FINAL_STATES:
                break
    if view["state"] != "done":
        raise click.ClickException(view["reason"])
    return view


def _progress_text(event: Any) -> str:
    return (
        f"{event['done']:,} of {event['total']:,} {event['unit']}, {event['rate']:,.0f}/s"
        if event
        else ""
    )
