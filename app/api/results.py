"""The results of a test of many images: a page at a time, or all of it as CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, abort, request
from werkzeug.utils import secure_filename

from app.catalog.database import JobRow
from app.catalog.results import listing, rows
from app.current import catalog
from jobs.core.totals import Row

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

SCORES = ("psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output")
COLUMNS = ("index", "name", "image", "target", "pair", "width", "height", *SCORES, "why")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that spreadsheets take for a formula."""


@blueprint.get("/<id>/results")
def show(id: str) -> Any:
    return listing(catalog().folder(_row(id).id), request.args.to_dict())


@blueprint.get("/<id>/results.csv")
def whole_as_csv(id: str) -> Response:
    row = _row(id)
    return _sent(row, "csv", "text/csv", _as_csv(rows(catalog().folder(id))))


@blueprint.get("/<id>/results.json")
def whole_as_json(id: str) -> Response:
    row = _row(id)
    return _sent(
        row, "json", "application/json", [json.dumps(rows(catalog().folder(id)), indent=1)]
    )


def _row(id: str) -> JobRow:
    row = catalog().get(id)
    if row is None:
        abort(404, f"There is no job {id}.")
    if row.kind != "test" or row.spec["kind"] not in ("images", "split"):
        abort(404, "Only tests of many images, or of a whole split, have such results.")
    return row


def _sent(row: JobRow, ending: str, type: str, parts: Iterable[str]) -> Response:
    name = f"{secure_filename(row.name) or row.id}.{ending}"
    return Response(
        parts, mimetype=type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _as_csv(all_rows: list[Row]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for row in all_rows:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(row.get(column)) for column in COLUMNS])
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would compute is marked as one; numbers are as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
