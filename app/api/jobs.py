"""API routes for jobs.

Listing, changing, moving, aborting, resuming and deleting; events, curves, record and log.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, request

from app.actions import delete, describe, queue
from app.answers import EventList, Job, JobList, RunRecord, ScalarsResponse, WorkerLog
from app.api.replies import body, names, number
from app.api.routes import JSON, Text, route
from app.bodies import JobChanges, Move, Resume
from app.catalog import log_index, worker_log
from app.catalog.index import as_json
from app.current import catalog, row_or_404
from app.files.streaming import csv_lines, divided, json_items, streamed
from app.forms.record import record
from app.runner.scheduler import waiting_reason
from app.validation_errors import validate
from jobs.core.events import in_parts
from jobs.core.types.events import JobEvent

blueprint = Blueprint("jobs", __name__)

MOST_JOBS = 500
MOST_POINTS = 100_000
POINTS_PER_PART = 2000


@route(blueprint, "GET", "/jobs", query=("kind", "state", "tag", "q", "limit", "cursor"))
def list_jobs() -> JobList:
    """Jobs, newest first."""
    limit = min(number("limit", 100, 1), MOST_JOBS)
    states = names("state")
    rows = catalog().find(
        request.args.get("kind", ""),
        states,
        request.args.get("q", ""),
        limit,
        request.args.get("cursor", ""),
        request.args.get("tag", ""),
    )
    return {
        "jobs": [as_json(row, brief=True) for row in rows],
        "cursor": rows[-1].id if len(rows) == limit else None,
    }


@route(blueprint, "GET", "/jobs/<id>")
def show_job(id: str) -> Job:
    """One job."""
    row = row_or_404(id)
    return {**as_json(row), "waiting_for": waiting_reason(row, catalog())}


@route(blueprint, "PATCH", "/jobs/<id>", body=JobChanges)
def change_job(id: str) -> Job:
    """Change name, group, tags and notes of a job; or the priority of a waiting job."""
    row, changes = row_or_404(id), body()
    queue_changes = {name: changes.pop(name) for name in ("priority", "anyway") if name in changes}
    if changes or not queue_changes:
        describe(row, changes)
    if queue_changes:
        queue(id, queue_changes)
    return as_json(row_or_404(id))


@route(blueprint, "POST", "/jobs/<id>/move", body=Move, status=202)
def move_job(id: str) -> tuple[Job, int]:
    """Move a waiting job before another, or to the end of the queue."""
    row_or_404(id)
    catalog().move(id, validate(Move, body()).before)
    return as_json(row_or_404(id)), 202


@route(blueprint, "DELETE", "/jobs/<id>", status=204)
def delete_job(id: str) -> tuple[str, int]:
    """Delete a job and its files."""
    row_or_404(id)
    delete(id)
    return "", 204


@route(blueprint, "POST", "/jobs/<id>/abort", status=202)
def abort_job(id: str) -> tuple[Job, int]:
    """Abort a job; finished work is kept."""
    row_or_404(id)
    catalog().abort(id)
    return as_json(row_or_404(id)), 202


@route(blueprint, "POST", "/jobs/<id>/resume", body=Resume, status=202)
def resume_job(id: str) -> tuple[Job, int]:
    """Resume a failed or aborted job; a training from the given snapshot."""
    row_or_404(id)
    catalog().resume(id, validate(Resume, body() if request.data else {}).snapshot)
    return as_json(row_or_404(id)), 202


@route(
    blueprint,
    "GET",
    "/jobs/<id>/events",
    query=("since", "type", "limit"),
    answers={JSON: EventList},
)
def job_events(id: str) -> Response:
    """Events of a job: all after `since`, or the first `limit` of them."""
    row_or_404(id)
    types = names("type")
    folder, since = catalog().folder(id), number("since", 0)
    limit = number("limit", sys.maxsize, 1)
    parts = (
        log_index.rare(folder, since, types)
        if types and types <= log_index.RARE
        else in_parts(folder.events, since, types or None)
    )
    return streamed(_event_list(parts, since, limit), JSON)


def _event_list(parts: Iterable[list[JobEvent]], seq: int, limit: int) -> Iterator[str]:
    """The JSON of an EventList."""

    def limited() -> Iterator[list[JobEvent]]:
        nonlocal seq, limit
        for part in parts:
            events = part[:limit]
            limit -= len(events)
            seq = events[-1]["seq"] if events else seq
            yield events
            if not limit:
                return

    yield '{"events":'
    yield from json_items(limited())
    yield f',"seq":{seq}}}\n'


@route(
    blueprint,
    "GET",
    "/jobs/<id>/scalars",
    query=("keys", "max_points", "from_step", "to_step"),
    answers={JSON: ScalarsResponse},
)
def job_scalars(id: str) -> Response:
    """Curves of a training, downsampled."""
    row_or_404(id)
    keys = names("keys")
    steps = (float(number("from_step", 0)), float(number("to_step", 10**15)))
    series, seq = log_index.series(
        catalog().folder(id), keys or None, min(number("max_points", 2000, 2), MOST_POINTS), steps
    )
    return streamed(_scalars(series, seq), JSON)


def _scalars(all_series: dict[str, log_index.Series], seq: int) -> Iterator[str]:
    """The JSON of a ScalarsResponse."""
    yield f'{{"seq":{seq},"series":{{'
    for position, (key, curve) in enumerate(all_series.items()):
        yield f"{',' if position else ''}{json.dumps(key)}:{{"
        for place, (column, values) in enumerate(curve.items()):
            yield f'{"," if place else ""}"{column}":'
            yield from json_items(divided(values, POINTS_PER_PART))
        yield "}"
    yield "}}\n"


@route(blueprint, "GET", "/jobs/<id>/scalars.csv", query=("keys",), answers={"text/csv": Text})
def scalars_csv(id: str) -> Response:
    """All points of the curves, as CSV."""
    row = row_or_404(id)
    keys = names("keys")
    columns, parts = log_index.points(catalog().folder(id), keys or None)
    lines = itertools.chain([csv_lines([columns])], map(csv_lines, parts))
    return streamed(lines, "text/csv", f"{row.file_name}.csv")


@route(blueprint, "GET", "/jobs/<id>/record")
def job_record(id: str) -> RunRecord:
    """Spec, command, facts and summary to reproduce a job."""
    return record(row_or_404(id), catalog())


@route(blueprint, "GET", "/jobs/<id>/log", query=("from",))
def job_log(id: str) -> WorkerLog:
    """Log of the worker from a byte offset, else its end; at most 64 KiB."""
    row_or_404(id)
    start = number("from", 0) if request.args.get("from") else None
    return worker_log.part(catalog().folder(id).worker_log, start)
