"""Pages of tests: a form per kind of test, and the results."""

from typing import Any

from flask import Blueprint, abort, redirect, request, url_for

from app.actions import create_test, keep_upload, test_of_row
from app.answers import Job
from app.catalog import log_index, results
from app.catalog.index import as_json
from app.current import catalog, row_or_404
from app.forms.fields import UPLOAD, values_of
from app.forms.inference import INPUT, inference_fields, keep_input, selected_input
from app.pages.common import form_page, job_or_404, job_page, refused_page
from app.pages.thumbnails import thumbnails
from app.turns import in_turns
from app.validation_errors import Invalid, validate
from jobs.core.types.events import LogMessageEvent
from jobs.specs import TESTS

blueprint = Blueprint("tests", __name__)

PAGES = {
    "image": "inference/image.html",
    "images": "inference/many.html",
    "split": "inference/many.html",
    "video": "inference/video.html",
}
MANY = ("images", "split")
SENT_WHOLE = ("image", "target", "video")
"""Fields for which a form without JavaScript sends the file itself."""


@blueprint.route("/models/<id>/test", methods=["GET", "POST"])
def new_test(id: str) -> Any:
    job = job_or_404(id, "model")
    kind = request.args.get("kind", "image")
    if kind not in TESTS:
        abort(404)
    form = request.form or request.args
    values, problems = {**values_of(TESTS[kind], form), "kind": kind}, {}
    selected = selected_input(form, values)
    if request.method == "POST":
        try:
            for name in SENT_WHOLE:
                sent = request.files.get(name + UPLOAD)
                if sent is not None and sent.filename:
                    values[name] = str(keep_upload(sent, name))
            spec = keep_input(values, selected) if INPUT in form else values
            return redirect(url_for(".test", id=create_test(spec, model=id)))
        except Invalid as invalid:
            problems = invalid.problems
    kinds = [(name, str(spec.model_config["title"])) for name, spec in TESTS.items()]
    fields = inference_fields(catalog(), job, kind, values, problems)
    context = {"job": job, "kind": kind, "kinds": kinds, "input": selected}
    return form_page(
        "inference/new.html", f"Test {job['name']}", "models", fields, problems, **context
    )


@blueprint.get("/tests/<id>")
def test(id: str) -> str:
    job = job_or_404(id, "test")
    model = catalog().get(job["spec"]["model"] or "")
    kind = job["spec"]["kind"]
    more: dict[str, Any] = {}
    if kind in MANY:
        try:
            table = results.results_page(
                catalog().folder(id), validate(results.ResultsQuery, request.args.to_dict())
            )
        except Invalid:  # The page or the sort order does not exist.
            abort(404)
        query = {name: request.args[name] for name in ("low", "high") if name in request.args}
        more = {"table": table, "gains": query, "thumbnails": thumbnails(job, table["results"])}
    else:
        more = {"messages": messages(job)}
    return job_page(PAGES[kind], job, model=as_json(model, brief=True) if model else None, **more)


def messages(job: Job) -> list[LogMessageEvent]:
    """The messages of a test since its last start, up to the event that its page shows."""
    found: list[LogMessageEvent] = []
    folder = catalog().folder(job["id"])
    for events in in_turns(log_index.rare(folder, 0, frozenset({"state", "message"}))):
        for event in events:
            if event["seq"] > job["seq"]:
                return found
            if event["type"] == "message":
                found.append(event)
            elif event["type"] == "state" and event["state"] == "running":
                found.clear()
    return found


@blueprint.post("/tests/<id>/results/<int:index>")
def open_result(id: str, index: int) -> Any:
    """Show an image of a test of many in a test of its own, which its model restores at once."""
    many = row_or_404(id, "test")
    rows = results.rows(catalog().folder(id)) if many.spec["kind"] in MANY else []
    row = next((row for row in rows if row["index"] == index), None)
    if row is None:
        abort(404, f"This test has no image {index}.")
    try:
        return redirect(url_for(".test", id=test_of_row(many, row)))
    except Invalid as invalid:
        return refused_page("Not possible now", " ".join(invalid.problems.values()), 422)
