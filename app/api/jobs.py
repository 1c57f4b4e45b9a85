"""API routes for jobs.

Listing, changing, moving, aborting, resuming and deleting; events, curves, record and log.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, request

from app.actions import delete, describe, queue, zip_of_job
from app.answers import EventList, ScalarsResponse, WorkerLog
from app.api import event_stream
from app.api.replies import arguments, body, with_etag
from app.api.routes import EVENT_STREAM, JSON, ZIP, EventStream, Text, Zip, route
from app.api.typed import JobDetails, JobPage, Record
from app.bodies import JobChanges, Move, Resume
from app.catalog import log_index, worker_log
from app.catalog.index import as_json
from app.current import catalog, row_or_404, row_to_change
from app.files.streaming import csv_lines, divided, json_items, streamed
from app.forms.record import record
from app.parameters import CurvesQuery, EventsQuery, Id, JobsQuery, LogQuery, ScalarsQuery
from app.runner.scheduler import waiting_reason
from app.validation_errors import validate
from jobs.core.events import in_parts
from jobs.core.types.events import JobEvent

blueprint = Blueprint("jobs", __name__)

POINTS_PER_PART = 2000


@route(blueprint, "GET", "/jobs", query=JobsQuery, answers={JSON: JobPage})
def list_jobs() -> Response:
    """Jobs, newest first.

    The answer has an ETag. A request with it in If-None-Match gets 304 while nothing has changed.
    """
    query = arguments(JobsQuery)
    rows = catalog().find(
        query.kind or "",
        frozenset(query.state),
        query.q,
        query.limit,
        query.cursor or "",
        query.tag,
        query.owner,
    )
    cursor = rows[-1].id if len(rows) == query.limit else None
    page: JobPage = {"jobs": [as_json(row, brief=True) for row in rows], "cursor": cursor}
    return with_etag(page)


@route(blueprint, "GET", "/jobs/<id>", answers={JSON: JobDetails})
def show_job(id: Id) -> Response:
    """One job.

    The answer has an ETag. A request with it in If-None-Match gets 304 while nothing has changed.
    """
    row = row_or_404(id)
    return with_etag({**as_json(row), "waiting_for": waiting_reason(row, catalog())})


@route(blueprint, "PATCH", "/jobs/<id>", body=JobChanges)
def change_job(id: Id) -> JobDetails:
    """Change name, group, tags and notes of a job; or the priority of a waiting job."""
    row, changes = row_to_change(id), body()
    queue_changes = {name: changes.pop(name) for name in ("priority", "anyway") if name in changes}
    if changes or not queue_changes:
        describe(row, changes)
    if queue_changes:
        queue(id, queue_changes)
    return as_json(row_or_404(id))


@route(blueprint, "POST", "/jobs/<id>/move", body=Move, status=202)
def move_job(id: Id) -> tuple[JobDetails, int]:
    """Move a waiting job before another, or to the end of the queue."""
    row_to_change(id)
    catalog().move(id, validate(Move, body()).before)
    return as_json(row_or_404(id)), 202


@route(blueprint, "DELETE", "/jobs/<id>", status=204)
def delete_job(id: Id) -> tuple[str, int]:
    """Delete a job and its files."""
    row_to_change(id)
    delete(id)
    return "", 204


@route(blueprint, "POST", "/jobs/<id>/abort", status=202)
def abort_job(id: Id) -> tuple[JobDetails, int]:
    """Abort a job; finished work is kept."""
    row_to_change(id)
    catalog().abort(id)
    return as_json(row_or_404(id)), 202


@route(blueprint, "POST", "/jobs/<id>/resume", body=Resume, status=202)
def resume_job(id: Id) -> tuple[JobDetails, int]:
    """Resume a failed or aborted job; a training from the given snapshot."""
    row_to_change(id)
    catalog().resume(id, validate(Resume, body() if request.data else {}).snapshot)
    return as_json(row_or_404(id)), 202


@route(
    blueprint,
    "GET",
    "/jobs/<id>/events",
    query=EventsQuery,
    answers={JSON: EventList, EVENT_STREAM: EventStream},
)
def job_events(id: Id) -> Response:
    """Events of a job: all after `since`, or the first `limit` of them.

    With Accept: text/event-stream, the answer are server-sent events as they come, each with its
    `seq` as id. It ends with the job, or after two minutes: connect again with Last-Event-ID.
    """
    row_or_404(id)
    query = arguments(EventsQuery)
    folder, types = catalog().folder(id), frozenset[str](query.type)
    if event_stream.wants_stream():
        return event_stream.stream(folder, query.since, types)
    parts = (
        log_index.rare(folder, query.since, types)
        if types and types <= log_index.RARE
        else in_parts(folder.events, query.since, types or None)
    )
    return streamed(_event_list(parts, query.since, query.limit or sys.maxsize), JSON)


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
    query=ScalarsQuery,
    answers={JSON: ScalarsResponse},
)
def job_scalars(id: Id) -> Response:
    """Curves of a training, downsampled."""
    row_or_404(id)
    query = arguments(ScalarsQuery)
    keys, steps = frozenset(query.keys), (float(query.from_step), float(query.to_step))
    series, seq = log_index.series(catalog().folder(id), keys or None, query.max_points, steps)
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


@route(blueprint, "GET", "/jobs/<id>/scalars.csv", query=CurvesQuery, answers={"text/csv": Text})
def scalars_csv(id: Id) -> Response:
    """All points of the curves, as CSV."""
    row = row_or_404(id)
    keys = frozenset(arguments(CurvesQuery).keys)
    columns, parts = log_index.points(catalog().folder(id), keys or None)
    lines = itertools.chain([csv_lines([columns])], map(csv_lines, parts))
    return streamed(lines, "text/csv", f"{row.file_name}.csv")


@route(blueprint, "GET", "/jobs/<id>/record", answers={JSON: Record})
def job_record(id: Id) -> Response:
    """Spec, command, facts and summary to reproduce a job.

    The answer has an ETag. A request with it in If-None-Match gets 304 while nothing has changed.
    """
    return with_etag(record(row_or_404(id), catalog()))


@route(blueprint, "GET", "/jobs/<id>/zip", answers={ZIP: Zip})
def zip_job(id: Id) -> Response:
    """All files of a job, and its record, as a ZIP archive."""
    return zip_of_job(row_or_404(id))


@route(blueprint, "GET", "/jobs/<id>/log", query=LogQuery)
def job_log(id: Id) -> WorkerLog:
    """Log of the worker from a byte offset, else its end; at most 64 KiB."""
    row_or_404(id)
    return worker_log.part(catalog().folder(id).worker_log, arguments(LogQuery).start)
