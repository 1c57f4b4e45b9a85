"""Actions on a job of any kind (abort, resume, delete, rename), and its files, singly or as ZIP."""

from typing import Any

from flask import Blueprint, abort, redirect, request, send_file, url_for

from app.actions import delete, describe, zip_of_job
from app.catalog.catalog import Refused
from app.current import catalog, row_or_404, row_to_change
from app.pages.common import address, refused_page
from app.pages.markdown import notes_html
from app.validation_errors import Invalid

blueprint = Blueprint("jobs", __name__)
blueprint.add_app_template_filter(notes_html)


@blueprint.get("/jobs/<id>")
def any_job(id: str) -> Any:
    return redirect(address(row_or_404(id)))


@blueprint.post("/jobs/<id>/<any(abort, resume, delete):action>")
def act(id: str, action: str) -> Any:
    row = row_to_change(id)
    try:
        if action == "resume":
            catalog().resume(id, request.form.get("snapshot", ""))
        elif action == "abort":
            catalog().abort(id)
        else:
            delete(id)
    except Refused as refused:
        return refused_page("Not possible now", str(refused), 409)
    return redirect(url_for("home.home_page") if action == "delete" else address(row))


@blueprint.post("/jobs/<id>/edit")
def edit(id: str) -> Any:
    row = row_to_change(id)
    try:
        describe(row, request.form.to_dict())
    except Invalid as invalid:
        message = " ".join(
            f"{field.capitalize()}: {text}" for field, text in invalid.problems.items()
        )
        return refused_page("Not saved", message, 422)
    return redirect(address(row))


@blueprint.get("/jobs/<id>.zip")
def job_zip(id: str) -> Any:
    return zip_of_job(row_or_404(id))


@blueprint.get("/jobs/<id>/files/<path:name>")
def job_file(id: str, name: str) -> Any:
    """A file of the job's folder. Resolves links first and refuses paths outside the folder."""
    row = row_or_404(id)
    root = catalog().folder(id).path.resolve()
    try:
        path = (root / name).resolve()
        is_served = path.is_relative_to(root) and path.is_file() and path.name != "worker.lock"
    except OSError:  # The name is not a valid file name.
        is_served = False
    if not is_served:
        abort(404)
    is_text = path.suffix in (".log", ".jsonl")
    if path.parent.name in ("snapshots", "exports"):
        return send_file(
            path,
            as_attachment=True,
            download_name=f"{row.file_name}-{path.name}",
        )
    return send_file(path, mimetype="text/plain" if is_text else None)
