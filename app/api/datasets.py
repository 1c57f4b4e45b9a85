"""API routes for datasets (create, probe, pairs) and for files below the data roots."""

from typing import cast

from flask import Blueprint, Response

from app.actions import create_dataset, probe_dataset, zip_of_pairs
from app.answers import Created, Folder, PairPage, Probe
from app.api.replies import arguments, body, spec_in_body
from app.api.routes import ZIP, Zip, route
from app.bodies import ProbeRequest
from app.catalog import pairs
from app.current import catalog, row_or_404, settings
from app.files import paths
from app.parameters import FilesQuery, Id
from app.threads import in_thread_at_paths
from jobs.specs import DatasetSpec

blueprint = Blueprint("datasets", __name__)


@route(blueprint, "POST", "/datasets", body=DatasetSpec, status=201)
def post_dataset() -> tuple[Created, int]:
    """Create a dataset.

    The record of a dataset can be sent in place of a spec, to make it again.
    """
    return {"id": create_dataset(spec_in_body("dataset"))}, 201


@route(blueprint, "POST", "/probe", body=ProbeRequest)
def post_probe() -> Probe:
    """Check the sources of a dataset without creating it."""
    return probe_dataset(body())


@route(blueprint, "GET", "/datasets/<id>/pairs", query=pairs.PairsQuery)
def list_pairs(id: Id) -> PairPage:
    """Pairs of a dataset, by page."""
    return pairs.pairs_page(
        row_or_404(id, "dataset"), catalog().folder(id), arguments(pairs.PairsQuery)
    )


@route(blueprint, "GET", "/datasets/<id>/pairs/zip", query=pairs.ExportQuery, answers={ZIP: Zip})
def zip_dataset_pairs(id: Id) -> Response:
    """All pictures of a dataset and their metadata, as a ZIP archive."""
    return zip_of_pairs(row_or_404(id, "dataset"), arguments(pairs.ExportQuery).format)


@route(blueprint, "GET", "/files", query=FilesQuery)
def list_files() -> Folder:
    """Browse the data roots."""
    return cast(
        Folder, in_thread_at_paths(paths.browse, arguments(FilesQuery).path, settings().readable)
    )
