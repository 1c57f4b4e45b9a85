"""Following a job until its end, and finding jobs by their names."""

import re
import time
from typing import Any

import click
from pydantic import BaseModel

from app.forms.command_line import option_name
from app.forms.fields import fields_of
from commands.running.here import INTERVAL, Here
from commands.running.progress import ProgressLine
from commands.running.refusals import WrongValue, refusals
from commands.running.results import Job, Results
from commands.running.there import There
from jobs.core.events import FINAL_STATES
from jobs.specs.base import split_text

Place = Here | There
ID = re.compile("[0-9a-z]{8,40}")
KINDS = {"dataset": "dataset", "datasets": "dataset", "model": "model"}
"""The kind of the jobs that a field names, by its widget."""


def place_of(server: str | None, home: Any) -> Place:
    return There(server) if server else Here(home.resolve())


def created(place: Place, ids: list[str], results: Results, wait: bool, since: int = 0) -> None:
    """Print the ids of new jobs, and follow them unless `wait` is False."""
    for id in ids:
        results.created(id)
    with results:
        if wait or isinstance(place, Here):
            follow(place, ids, results, since)
        elif results.as_json:
            for id in ids:
                results.ended(place.job(id))


def follow(
    place: Place, ids: list[str], results: Results, since: int = 0, owns: bool = True
) -> None:
    """Show the progress of jobs until they end, one after the other, and then their results.

    Ctrl-C aborts jobs of this machine that the command has started itself (`owns`).

    Raises ClickException if one fails, and KeyboardInterrupt after Ctrl-C.
    """
    failed: Job | None = None
    results.file = place.file
    for id in ids:
        click.echo(f"{id}  {place.address(id)}", err=True)
        try:
            job = _followed(place, id, since, owns)
        except KeyboardInterrupt:
            results.ended(place.job(id))
            raise
        results.ended(job)
        failed = failed or (job if job["state"] != "done" else None)
    if failed is not None:
        raise click.ClickException(failed["reason"])


def _followed(place: Place, id: str, since: int, owns: bool) -> Job:
    line = ProgressLine()
    try:
        for event in place.events(id, since):
            line.show(event)
    except KeyboardInterrupt:
        line.close()
        if owns or isinstance(place, There):
            click.echo(place.interrupt(id), err=True)
        raise
    finally:
        line.close()
    # A server lists the end of a job a moment after the log has it.
    while (job := place.job(id))["state"] not in FINAL_STATES:
        time.sleep(INTERVAL)
    return job


def find_job(place: Place, text: str, kind: str = "") -> str:
    """The id of the job with this id or name. Raises WrongValue unless there is exactly one."""
    found = _ids(place, text, kind)
    if len(found) > 1:
        raise WrongValue(
            f"{len(found)} {kind or 'job'}s have the name {text}: {', '.join(found)}. Give the id."
        )
    if found:
        return found[0]
    if ID.fullmatch(text):  # The check of the spec has a better sentence.
        return text
    raise WrongValue(f"No {kind or 'job'} {place.where} has the name or the id {text}.")


def _ids(place: Place, text: str, kind: str) -> list[str]:
    if isinstance(place, Here) and ID.fullmatch(text) and place.find(text):
        return [text]
    with refusals():
        return [job["id"] for job in place.jobs(kind, text=text) if job["name"] == text]


def with_ids(place: Place, spec: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """The values of a spec with ids in place of the names of jobs. Raises WrongValue."""
    named = dict(values)
    for field in fields_of(spec):
        kind, value = KINDS.get(field.widget), values.get(field.name)
        if kind is None or not value:
            continue
        try:
            if field.widget == "datasets":
                parts = split_text(value) if isinstance(value, str) else value
                named[field.name] = [find_job(place, part, kind) for part in parts]
            elif isinstance(value, str):
                named[field.name] = find_job(place, value, kind)
        except WrongValue as wrong:
            raise WrongValue(f"{option_name(field.name)}: {wrong.message}") from wrong
    return named
