"""API routes for the results of a test of many images: by page, or all as CSV or JSON."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, abort, request
from werkzeug.utils import secure_filename

from app.answers import ResultsPage
from app.api.routes import JSON, Text, route
from app.catalog.database import JobRow
from app.catalog.results import results_page, rows
from app.current import catalog
from jobs.core.types.samples import ResultRow

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

SCORES = ("psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output")
COLUMNS = ("index", "name", "image", "target", "pair", "width", "height", *SCORES, "why")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that spreadsheets treat as a formula."""


@route(blueprint, "GET", "/<id>/results", query=("sort", "order", "page"))
def list_results(id: str) -> ResultsPage:
    """Results of a test of many images, by page; the smallest gain first."""
    return results_page(catalog().folder(_row(id).id), request.args.to_dict())


@route(blueprint, "GET", "/<id>/results.csv", answers={"text/csv": Text})
def results_csv(id: str) -> Response:
    """All results, as CSV."""
    row = _row(id)
    return _download(row, "csv", "text/csv", _as_csv(rows(catalog().folder(id))))


@route(blueprint, "GET", "/<id>/results.json", answers={JSON: list[ResultRow]})
def results_json(id: str) -> Response:
    """All results, as a JSON list."""
    row = _row(id)
    return _download(
        row, "json", "application/json", [json.dumps(rows(catalog().folder(id)), indent=1)]
    )


def _row(id: str) -> JobRow:
    row = catalog().get(id)
    if row is None:
        abort(404, f"Job {id} not found.")
    if row.kind != "test" or row.spec["kind"] not in ("images", "split"):
        abort(404, "Only tests of many images or of a split have results.")
    return row


def _download(row: JobRow, extension: str, type: str, parts: Iterable[str]) -> Response:
    name = f"{secure_filename(row.name) or row.id}.{extension}"
    return Response(
        parts, mimetype=type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _as_csv(all_rows: list[ResultRow]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for row in all_rows:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(row.get(column)) for column in COLUMNS])
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """The value of a cell; a text that a spreadsheet would compute gets a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
