"""What a page offers for a job of any kind: abort, resume, delete, rename it; its files, one by one or as a ZIP."""

from typing import Any

from flask import Blueprint, abort, redirect, request, send_file, url_for
from werkzeug.utils import secure_filename

from app.actions import delete, describe
from app.catalog.catalog import Refused
from app.current import catalog
from app.files import job_zip, zips
from app.forms.record import as_files, record
from app.pages.common import address, job_or_404, refused_page
from app.problems import Invalid

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs/<id>")
def any_job(id: str) -> Any:
    return redirect(address(job_or_404(id)))


@blueprint.post("/jobs/<id>/<any(abort, resume, delete):action>")
def act(id: str, action: str) -> Any:
    job = job_or_404(id)
    try:
        if action == "resume":
            catalog().resume(id, request.form.get("snapshot", ""))
        elif action == "abort":
            catalog().abort(id)
        else:
            delete(id)
    except Refused as refused:
        return refused_page("Not now", str(refused), 409)
    return redirect(url_for("home.show") if action == "delete" else address(job))


@blueprint.post("/jobs/<id>/edit")
def edit(id: str) -> Any:
    job = job_or_404(id)
    row = catalog().get(id)
    assert row is not None
    try:
        describe(row, request.form.to_dict())
    except Invalid as invalid:
        message = " ".join(
            f"{field.capitalize()}: {text}" for field, text in invalid.problems.items()
        )
        return refused_page("Not saved", message, 422)
    return redirect(address(job))


@blueprint.get("/jobs/<id>.zip")
def whole_job(id: str) -> Any:
    """All files of a job, and what is needed to make it again."""
    row = catalog().get(id)
    if row is None:
        abort(404)
    name = secure_filename(row.name) or id
    return zips.sent(
        job_zip.stream(catalog().folder(id), name, as_files(record(row, catalog()))), name
    )


@blueprint.get("/jobs/<id>/files/<path:name>")
def job_file(id: str, name: str) -> Any:
    """A file of the job's own folder, and of no other: links are followed before this is decided."""
    job = job_or_404(id)
    root = catalog().folder(id).path.resolve()
    try:
        path = (root / name).resolve()
        is_one = path.is_relative_to(root) and path.is_file() and path.name != "worker.lock"
    except OSError:  # A name that no file can have.
        is_one = False
    if not is_one:
        abort(404)
    text = path.suffix in (".log", ".jsonl")
    if path.parent.name in ("snapshots", "exports"):
        return send_file(
            path,
            as_attachment=True,
            download_name=f"{secure_filename(job['name']) or id}-{path.name}",
        )
    return send_file(path, mimetype="text/plain" if text else None)
