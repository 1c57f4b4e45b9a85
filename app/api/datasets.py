"""API routes for datasets (create, probe, pairs) and for files below the data roots."""

from typing import Any

from flask import Blueprint, request

from app.actions import create_dataset, probe_dataset
from app.api.replies import body, job_or_404
from app.catalog import pairs
from app.current import catalog, settings
from app.files import paths

blueprint = Blueprint("datasets", __name__)


@blueprint.post("/datasets")
def post_dataset() -> Any:
    return {"id": create_dataset(body())}, 201


@blueprint.post("/probe")
def post_probe() -> Any:
    return probe_dataset(body())


@blueprint.get("/datasets/<id>/pairs")
def list_pairs(id: str) -> Any:
    return pairs.pairs_page(job_or_404(id, "dataset"), catalog().folder(id), request.args.to_dict())


@blueprint.get("/files")
def list_files() -> Any:
    return paths.browse(request.args.get("path", ""), settings().readable)
