"""Running a job from the command line: here and now in a home of this machine, or on a server."""

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

from app.catalog.catalog import row_of
from app.catalog.database import JobRow
from app.forms.command_line import option_name
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import FINAL_STATES, Event, last_state, read_from
from jobs.core.folder import JobFolder
from jobs.core.view import empty, fold
from jobs.specs import JobSpec

INTERVAL = 0.1


def find_in(home: Path, id: str) -> JobRow | None:
    """A job of a home by its id, with all that its log says."""
    folder = JobFolder(home / "jobs" / id)
    return row_of(folder) if (folder.path / "job.json").is_file() else None


def run_here(home: Path, kind: str, spec: JobSpec) -> dict[str, Any]:
    """Make the job's folder in a home, run its worker, and show its progress. Ctrl-C aborts it."""
    folder = folders.create(home, kind, spec)
    click.echo(f"{folder.id}  {folder.path}", err=True)
    launcher.start(folder)
    try:
        return show(_events_here(folder))
    except KeyboardInterrupt:
        launcher.stop(folder)
        return show(iter([_last(folder)]))


def _events_here(folder: JobFolder) -> Iterator[Event]:
    offset = 0
    while True:
        alive = folder.worker_lives()
        events, offset = read_from(folder.events, offset)
        yield from events
        if not alive and not events:
            words = folder.worker_log.read_text(errors="replace").strip().splitlines()
            raise click.ClickException(
                f"The worker ended without saying how: {words[-1] if words else 'it left no word'}"
            )
        time.sleep(INTERVAL)


def _last(folder: JobFolder) -> Event:
    return last_state(folder.events) or {
        "seq": 1,
        "type": "state",
        "state": "aborted",
        "reason": "",
    }


def run_on(server: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create the job on a server, and show its progress until it ends."""
    return follow(server, call(server, path, body)["id"])


def follow(server: str, id: str) -> dict[str, Any]:
    """Show the progress of a server's job until it ends."""
    click.echo(f"{id}  {server}/jobs/{id}", err=True)
    return show(_events_on(server, id))


def _events_on(server: str, id: str) -> Iterator[Event]:
    seq = 0
    while True:
        answer = call(server, f"/jobs/{id}/events?since={seq}")
        yield from answer["events"]
        seq = answer["seq"]
        time.sleep(INTERVAL)


def call(server: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON that a server answers. Raises ClickException with its words where it refuses."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.rstrip('/')}/api/v1{path}", data, {"Content-Type": "application/json"}
    )
    with _answered(server, request) as answer:
        return json.load(answer)


def download(server: str, url: str, out: Path) -> None:
    """Take a file from a server, whole or not at all. Raises ClickException, or OSError where it cannot be written."""
    draft = out.with_name(f".{out.name}.part")
    with (
        _answered(server, urllib.request.Request(f"{server.rstrip('/')}{url}")) as answer,
        draft.open("wb") as file,
    ):
        shutil.copyfileobj(answer, file)
        if answer.length:
            raise click.ClickException(
                f"{server} ended {answer.length} bytes before the end of the file. Try again."
            )
    draft.replace(out)


@contextmanager
def _answered(server: str, request: urllib.request.Request) -> Iterator[Any]:
    """What a server answers, while it is read; its token, where it wants one, is CLEARFRAME_TOKEN.

    Raises ClickException with its words where it refuses."""
    try:
        if token := os.environ.get("CLEARFRAME_TOKEN"):
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        with error:
            raise click.ClickException(
                _refusal(error.read())
                or f"{server} does not answer as a Clearframe server: {error}"
            ) from error
    except (urllib.error.URLError, ValueError) as error:
        raise click.ClickException(
            f"{server} does not answer as a Clearframe server: {error}"
        ) from error


def _refusal(answer: bytes) -> str:
    """The words of a Clearframe server; empty where it is none."""
    try:
        told = json.loads(answer)["error"]
        return sentences(told["fields"]) or str(told["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def sentences(problems: dict[str, str]) -> str:
    """What is wrong, by the options that can mend it."""
    return "\n".join(
        f"{option_name(field)}: {text}" if field else text for field, text in problems.items()
    )


def show(events: Iterator[Event]) -> dict[str, Any]:
    """Show a job's progress as a bar and its messages as lines until it ends; its view. Raises ClickException where it failed."""
    view = empty()
    drawn: Any = click.progressbar(
        length=1000, show_pos=False, show_percent=True, item_show_func=_words, file=sys.stderr
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


def _words(event: Any) -> str:
    return (
        f"{event['done']:,} of {event['total']:,} {event['unit']}, {event['rate']:,.0f} a second"
        if event
        else ""
    )
