"""API routes for models: train, preview, extend, test and export."""

from typing import Any

from flask import Blueprint

from app.actions import create_models, create_test, extend, remove_snapshot
from app.api.replies import body, job_or_404
from app.catalog.index import as_json
from app.current import catalog, settings
from app.forms.preview import preview
from app.runner import exporting

blueprint = Blueprint("models", __name__)


@blueprint.post("/models")
def post_model() -> Any:
    ids, sweep = create_models(body())
    return {"id": ids[0], "ids": ids, "sweep": sweep}, 201


@blueprint.post("/models/preview")
def post_preview() -> Any:
    return preview(body(), catalog())


@blueprint.post("/jobs/<id>/extend")
def extend_job(id: str) -> Any:
    extend(job_or_404(id, "model"), body())
    return as_json(job_or_404(id)), 202


@blueprint.delete("/jobs/<id>/snapshots/<name>")
def delete_snapshot(id: str, name: str) -> Any:
    job_or_404(id, "model")
    remove_snapshot(id, name)
    return "", 204


@blueprint.post("/models/<id>/tests")
def post_test(id: str) -> Any:
    job_or_404(id, "model")
    return {"id": create_test(id, body())}, 201


@blueprint.get("/models/<id>/exports")
def list_exports(id: str) -> Any:
    job_or_404(id, "model")
    return {"exports": exporting.exports_of(catalog().folder(id))}


@blueprint.post("/models/<id>/exports")
def post_export(id: str) -> Any:
    spec = exporting.checked_export(body(), job_or_404(id, "model"))
    return exporting.export(catalog().folder(id), spec, settings().allow_user_code), 201
