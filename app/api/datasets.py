"""API routes for datasets (create, probe, pairs) and for files below the data roots."""

from typing import cast

from flask import Blueprint, request

from app.actions import create_dataset, probe_dataset
from app.answers import Created, Folder, PairPage, Probe
from app.apart import apart_at_paths
from app.api.replies import body
from app.api.routes import route
from app.bodies import ProbeRequest
from app.catalog import pairs
from app.current import catalog, row_or_404, settings
from app.files import paths
from jobs.specs import DatasetSpec

blueprint = Blueprint("datasets", __name__)


@route(blueprint, "POST", "/datasets", body=DatasetSpec, status=201)
def post_dataset() -> tuple[Created, int]:
    """Create a dataset."""
    return {"id": create_dataset(body())}, 201


@route(blueprint, "POST", "/probe", body=ProbeRequest)
def post_probe() -> Probe:
    """Check the sources of a dataset without creating it."""
    return probe_dataset(body())


@route(blueprint, "GET", "/datasets/<id>/pairs", query=("split", "sort", "order", "page"))
def list_pairs(id: str) -> PairPage:
    """Pairs of a dataset, by page."""
    return pairs.pairs_page(row_or_404(id, "dataset"), catalog().folder(id), request.args.to_dict())


@route(blueprint, "GET", "/files", query=("path",))
def list_files() -> Folder:
    """Browse the data roots."""
    return cast(
        Folder, apart_at_paths(paths.browse, request.args.get("path", ""), settings().readable)
    )
