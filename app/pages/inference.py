"""Pages of tests: a form per kind of test, and the results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from flask import Blueprint, Response, abort, redirect, request, url_for

from app.actions import create_test, keep_upload, test_of_row
from app.answers import Job
from app.catalog import log_index, results
from app.catalog.index import as_json
from app.current import catalog, row_or_404, settings
from app.files.content import BMP, BMP_GZ, HEAD, JPEG, PNG, WEBP, Content, identify
from app.files.paths import FileProblem, file
from app.forms.fields import UPLOAD, values_of
from app.forms.inference import INPUT, inference_fields, keep_input, selected_input
from app.pages.common import form_page, job_or_404, job_page, refused_page
from app.pages.thumbnails import thumbnails
from app.threads import in_thread_at_paths
from app.turns import in_turns
from app.validation_errors import Invalid, validate
from jobs.core.errors import JobError
from jobs.core.paths import open_file
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
PART = 2**18
"""Bytes of a picture to read at once."""
SHOWN = {
    PNG: "image/png",
    JPEG: "image/jpeg",
    WEBP: "image/webp",
    BMP: "image/bmp",
    BMP_GZ: "image/bmp",
}
"""The images that browsers show, and their media types."""
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


@blueprint.get("/files/picture")
def picture() -> Response:
    """An image below the data roots, as it is: the form that names it shows it.

    Nothing, which is no error, if a path is not complete yet or browsers do not show the file.
    """
    try:
        file, content = in_thread_at_paths(
            _opened, request.args.get("path", ""), settings().readable
        )
    except (FileProblem, JobError):
        return Response(status=204)
    if content not in SHOWN:
        file.close()
        return Response(status=204)
    response = Response(_parts(file), mimetype=SHOWN[content])
    if content is BMP_GZ:
        response.content_encoding = "gzip"
    return response


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """A file in parts. A disk that does not answer holds nobody else up."""
    with file:
        while part := in_thread_at_paths(file.read, PART):
            yield part


def _opened(text: str, roots: tuple[Path, ...]) -> tuple[BinaryIO, Content | None]:
    """An open file, and what is in it. Raises FileProblem, JobError."""
    path = file(text, roots)
    try:
        opened = open_file(path)
        content = identify(opened.read(HEAD))
        opened.seek(0)
    except OSError as error:
        raise FileProblem(f"{path.name} cannot be read: {error.strerror}.") from error
    return opened, content


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
