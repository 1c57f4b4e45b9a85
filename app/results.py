"""What a test of many images found: sorted and a page at a time for its page and the API; all of it as CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from flask import Blueprint, Response, abort, request
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.utils import secure_filename

from app.actions import catalog
from app.database import JobRow
from app.problems import Invalid, validate
from jobs.events import read
from jobs.folder import JobFolder
from jobs.totals import Row, gain_of

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

ROWS_A_PAGE = 100
FAILURES_SHOWN = 100
SCORES = ("psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output")
COLUMNS = ("index", "name", "image", "target", "pair", "width", "height", *SCORES, "why")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that spreadsheets take for a formula."""

Sort = Literal["index", "name", "psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"]


class Wanted(BaseModel):
    """One page of results: the query of its page and of the API alike. Without an order, the smallest gain comes first where
    gains are known."""

    model_config = ConfigDict(extra="ignore")

    sort: Sort | None = None
    order: Literal["asc", "desc"] = "asc"
    page: int = Field(1, ge=1)


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
    return _sent(row, "json", "application/json", [json.dumps(rows(catalog().folder(id)), indent=1)])


def _row(id: str) -> JobRow:
    row = catalog().get(id)
    if row is None:
        abort(404, f"There is no job {id}.")
    if row.kind != "test" or row.spec["kind"] not in ("images", "split"):
        abort(404, "Only tests of many images, or of a whole split, have such results.")
    return row


def _sent(row: JobRow, ending: str, type: str, parts: Iterable[str]) -> Response:
    name = f"{secure_filename(row.name) or row.id}.{ending}"
    return Response(parts, mimetype=type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def rows(folder: JobFolder) -> list[Row]:
    """All that the log tells, by index; of an image that was tried again, the newest."""
    found: dict[int, Row] = {}
    for event in read(folder.events, types=frozenset({"results"})):
        found |= {row["index"]: row for row in event["rows"]}
    return [found[index] for index in sorted(found)]


def listing(folder: JobFolder, query: dict[str, str]) -> dict[str, Any]:
    """A page of the restored images, and those that could not be. Raises Invalid."""
    wanted, all_rows = validate(Wanted, query), rows(folder)
    restored, failed = [row for row in all_rows if "why" not in row], [row for row in all_rows if "why" in row]
    known = any(not math.isnan(gain_of(row)) for row in restored)
    sort: Sort = wanted.sort or ("gain" if known else "index")
    pages = max(1, -(-len(restored) // ROWS_A_PAGE))
    if wanted.page > pages:
        raise Invalid({"page": f"There is no page {wanted.page}: the last one is {pages}."})
    first = (wanted.page - 1) * ROWS_A_PAGE
    return {
        "results": in_order(restored, sort, wanted.order == "desc")[first : first + ROWS_A_PAGE],
        "total": len(restored),
        "pages": pages,
        "page": wanted.page,
        "sort": sort,
        "order": wanted.order,
        "failed": len(failed),
        "failures": failed[:FAILURES_SHOWN],
    }


def in_order(restored: list[Row], sort: Sort, descending: bool) -> list[Row]:
    """Equal ones by index, those without a value last either way."""
    known = [row for row in restored if sort == "name" or not math.isnan(_number(row, sort))]
    unknown = [row for row in restored if sort != "name" and math.isnan(_number(row, sort))]
    if sort == "name":
        return sorted(known, key=lambda row: str(row["name"]), reverse=descending)
    return sorted(known, key=lambda row: _number(row, sort), reverse=descending) + unknown


def _number(row: Row, sort: Sort) -> float:
    """The PSNR of images that are equal is null, and larger than any other; what was not measured is no number."""
    if sort == "gain":
        return gain_of(row)
    value = row[sort]
    if value is None:
        return math.nan if math.isnan(gain_of(row)) or sort.startswith("ssim") else math.inf
    return float(value)


def _as_csv(all_rows: list[Row]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for row in all_rows:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(row.get(column)) for column in COLUMNS])
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would compute is marked as one; numbers are as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
