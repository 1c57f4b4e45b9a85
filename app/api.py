"""The JSON API under /api/v1."""

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.utils import secure_filename

from app import channels, exporting, files, log_index, openapi, pair_list, results, uploads, worker_log
from app.actions import (
    catalog,
    create_dataset,
    create_models,
    create_test,
    delete,
    describe,
    extend,
    probe_dataset,
    queue,
    remove_snapshot,
    settings,
)
from app.catalog import Refused, as_json
from app.database import JobRow
from app.preview import preview
from app.problems import Invalid
from app.record import record
from app.scheduler import why_waits
from jobs.events import read

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
blueprint.register_blueprint(uploads.blueprint)
blueprint.register_blueprint(channels.blueprint)
blueprint.register_blueprint(results.blueprint)

MOST_JOBS = 500
MOST_POINTS = 100_000
MOST_JSON = 16 * 2**20
"""Bytes: more than the longest network and list of paths."""


class NotFound(Exception):
    pass


def error(status: int, message: str, fields: dict[str, str] | None = None) -> tuple[Response, int]:
    """The one shape of an error."""
    return jsonify({"error": {"message": message, "fields": fields or {}}}), status


def job_or_404(id: str, kind: str = "") -> JobRow:
    row = catalog().get(id)
    if row is None or (kind and row.kind != kind):
        raise NotFound(f"There is no {kind or 'job'} {id}.")
    return row


def body() -> Any:
    """The request's JSON. Raises Invalid where there is none."""
    request.max_content_length = MOST_JSON
    try:
        sent = request.get_json(silent=True)
    except RecursionError:  # [[[[[[…
        sent = None
    if not isinstance(sent, dict):
        raise Invalid({"": "Send a JSON object, with the header Content-Type: application/json."})
    return sent


def number(name: str, default: int, least: int = 0) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) < least:
        raise Invalid({name: f"Must be a whole number of at least {least}."})
    return int(text)


@blueprint.get("/jobs")
def list_jobs() -> Any:
    limit = min(number("limit", 100, 1), MOST_JOBS)
    states = frozenset(request.args.get("state", "").split(",")) - {""}
    rows = catalog().find(request.args.get("kind", ""), states, request.args.get("q", ""), limit, request.args.get("cursor", ""))
    return {"jobs": [as_json(row, brief=True) for row in rows], "cursor": rows[-1].id if len(rows) == limit else None}


@blueprint.get("/jobs/<id>")
def show_job(id: str) -> Any:
    row = job_or_404(id)
    return {**as_json(row), "waiting_for": why_waits(row, catalog())}


@blueprint.patch("/jobs/<id>")
def change_job(id: str) -> Any:
    row, words = job_or_404(id), body()
    of_queue = {name: words.pop(name) for name in ("priority", "anyway") if name in words}
    if words or not of_queue:
        describe(row, words)
    if of_queue:
        queue(id, of_queue)
    return as_json(job_or_404(id))


@blueprint.post("/jobs/<id>/move")
def move_job(id: str) -> Any:
    job_or_404(id)
    asked = body()
    before = asked.get("before")
    if set(asked) != {"before"} or not (before is None or isinstance(before, str)):
        raise Invalid({"before": "Give the id of a job that waits, or null for the end of the queue."})
    catalog().move(id, before)
    return as_json(job_or_404(id)), 202


@blueprint.delete("/jobs/<id>")
def delete_job(id: str) -> Any:
    job_or_404(id)
    delete(id)
    return "", 204


@blueprint.post("/jobs/<id>/abort")
def abort_job(id: str) -> Any:
    job_or_404(id)
    catalog().abort(id)
    return as_json(job_or_404(id)), 202


@blueprint.post("/jobs/<id>/resume")
def resume_job(id: str) -> Any:
    job_or_404(id)
    asked = body() if request.data else {}
    if unknown := set(asked) - {"snapshot"}:
        raise Invalid(dict.fromkeys(unknown, "There is no such field."))
    catalog().resume(id, asked.get("snapshot", ""))
    return as_json(job_or_404(id)), 202


@blueprint.post("/jobs/<id>/extend")
def extend_job(id: str) -> Any:
    extend(job_or_404(id, "model"), body())
    return as_json(job_or_404(id)), 202


@blueprint.delete("/jobs/<id>/snapshots/<name>")
def delete_snapshot(id: str, name: str) -> Any:
    job_or_404(id, "model")
    remove_snapshot(id, name)
    return "", 204


@blueprint.get("/jobs/<id>/events")
def job_events(id: str) -> Any:
    job_or_404(id)
    types = frozenset(request.args.get("type", "").split(",")) - {""}
    folder, since = catalog().folder(id), number("since", 0)
    quickly = types and types <= log_index.RARE
    events = log_index.rare(folder, since, types) if quickly else list(read(folder.events, since, types or None))
    return {"events": events, "seq": events[-1]["seq"] if events else since}


@blueprint.get("/jobs/<id>/scalars")
def job_scalars(id: str) -> Any:
    job_or_404(id)
    keys = frozenset(request.args.get("keys", "").split(",")) - {""}
    between = (float(number("from_step", 0)), float(number("to_step", 10**15)))
    series, seq = log_index.series(catalog().folder(id), keys or None, min(number("max_points", 2000, 2), MOST_POINTS), between)
    # Not by jsonify, which sorts keys and indents: these are many numbers.
    return Response(json.dumps({"seq": seq, "series": series}, separators=(",", ":")), mimetype="application/json")


@blueprint.get("/jobs/<id>/scalars.csv")
def job_csv(id: str) -> Any:
    row = job_or_404(id)
    keys = frozenset(request.args.get("keys", "").split(",")) - {""}
    name = secure_filename(row.name) or id
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(log_index.as_csv(catalog().folder(id), keys or None), mimetype="text/csv", headers=headers)


@blueprint.get("/jobs/<id>/record")
def job_record(id: str) -> Any:
    return record(job_or_404(id), catalog())


@blueprint.get("/jobs/<id>/log")
def job_log(id: str) -> Any:
    job_or_404(id)
    start = number("from", 0) if request.args.get("from") else None
    return worker_log.part(catalog().folder(id).worker_log, start)


@blueprint.post("/datasets")
def post_dataset() -> Any:
    return {"id": create_dataset(body())}, 201


@blueprint.post("/probe")
def post_probe() -> Any:
    return probe_dataset(body())


@blueprint.get("/datasets/<id>/pairs")
def list_pairs(id: str) -> Any:
    return pair_list.listing(job_or_404(id, "dataset"), request.args.to_dict())


@blueprint.post("/models")
def post_model() -> Any:
    ids, sweep = create_models(body())
    return {"id": ids[0], "ids": ids, "sweep": sweep}, 201


@blueprint.post("/models/preview")
def post_preview() -> Any:
    return preview(body(), catalog())


@blueprint.post("/models/<id>/tests")
def post_test(id: str) -> Any:
    job_or_404(id, "model")
    return {"id": create_test(id, body())}, 201


@blueprint.get("/models/<id>/exports")
def list_exports(id: str) -> Any:
    job_or_404(id, "model")
    return {"exports": exporting.listing(catalog().folder(id))}


@blueprint.post("/models/<id>/exports")
def post_export(id: str) -> Any:
    spec = exporting.asked_for(body(), job_or_404(id, "model"))
    return exporting.export(catalog().folder(id), spec, settings().allow_user_code), 201


@blueprint.get("/files")
def list_files() -> Any:
    return files.listing(request.args.get("path", ""), settings().readable)


@blueprint.get("/healthz")
def healthz() -> Any:
    return {"status": "ok", "jobs": len(catalog().find(states=frozenset({"waiting", "running"})))}


@blueprint.get("/openapi.json")
def openapi_document() -> Any:
    return openapi.document(request.script_root)


@blueprint.errorhandler(Invalid)
def invalid(problem: Invalid) -> Any:
    whole = problem.problems.get("")
    first = next(iter(problem.problems.items()))
    return error(422, whole or f"{first[0]}: {first[1]}", problem.problems)


@blueprint.errorhandler(files.FileProblem)
def unreadable(problem: files.FileProblem) -> Any:
    return error(400, str(problem), {"path": str(problem)})


@blueprint.errorhandler(Refused)
def refused(problem: Refused) -> Any:
    return error(409, str(problem))


@blueprint.errorhandler(NotFound)
def not_found(problem: NotFound) -> Any:
    return error(404, str(problem))
