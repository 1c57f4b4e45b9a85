"""API routes for the results of a test of many images: by page, or all as CSV or JSON."""

from collections.abc import Iterable, Iterator, Sequence

from flask import Blueprint, Response, abort

from app.answers import ResultsPage
from app.api.replies import arguments
from app.api.routes import JSON, Text, route
from app.catalog.database import JobRow
from app.catalog.results import ResultsQuery, results_page, rows
from app.current import catalog, row_or_404
from app.files.streaming import csv_lines, divided, json_items, streamed
from app.parameters import Id
from jobs.core.types.samples import ResultRow

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

SCORES = (
    *("psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"),
    *("psnr_y_input", "psnr_y_output"),
)
COLUMNS = ("index", "name", "image", "target", "pair", "width", "height", *SCORES, "why")
ROWS_PER_PART = 200


@route(blueprint, "GET", "/<id>/results", query=ResultsQuery)
def list_results(id: Id) -> ResultsPage:
    """Results of a test of many images, by page; the smallest gain first.

    `low` and `high` select the images with a gain in dB of at least `low` and less than `high`.
    """
    return results_page(catalog().folder(_row(id).id), arguments(ResultsQuery))


@route(blueprint, "GET", "/<id>/results.csv", answers={"text/csv": Text})
def results_csv(id: Id) -> Response:
    """All results, as CSV."""
    row = _row(id)
    return _download(row, "csv", "text/csv", _as_csv(rows(catalog().folder(id))))


@route(blueprint, "GET", "/<id>/results.json", answers={JSON: list[ResultRow]})
def results_json(id: Id) -> Response:
    """All results, as a JSON list."""
    row = _row(id)
    parts = divided(rows(catalog().folder(id)), ROWS_PER_PART)
    return _download(row, "json", JSON, json_items(parts))


def _row(id: Id) -> JobRow:
    row = row_or_404(id)
    if row.kind != "test" or row.spec["kind"] not in ("images", "split"):
        abort(404, "Only tests of many images or of a split have results.")
    return row


def _download(row: JobRow, extension: str, type: str, parts: Iterable[str]) -> Response:
    return streamed(parts, type, f"{row.file_name}.{extension}")


def _as_csv(all_rows: Sequence[ResultRow]) -> Iterator[str]:
    yield csv_lines([COLUMNS])
    for part in divided(all_rows, ROWS_PER_PART):
        yield csv_lines([row.get(column) for column in COLUMNS] for row in part)
