"""The rows of a test of many images, out of its event log: all of them, or sorted and a page at a time."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.problems import Invalid, validate
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.totals import Row, gain_of

ROWS_A_PAGE = 100
FAILURES_SHOWN = 100

Sort = Literal["index", "name", "psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"]


class Wanted(BaseModel):
    """One page of results: the query of its page and of the API alike. Without an order, the smallest gain comes first where
    gains are known."""

    model_config = ConfigDict(extra="ignore")

    sort: Sort | None = None
    order: Literal["asc", "desc"] = "asc"
    page: int = Field(1, ge=1)


def rows(folder: JobFolder) -> list[Row]:
    """All that the log tells, by index; of an image that was tried again, the newest."""
    found: dict[int, Row] = {}
    for event in read(folder.events, types=frozenset({"results"})):
        found |= {row["index"]: row for row in event["rows"]}
    return [found[index] for index in sorted(found)]


def listing(folder: JobFolder, query: dict[str, str]) -> dict[str, Any]:
    """A page of the restored images, and those that could not be. Raises Invalid."""
    wanted, all_rows = validate(Wanted, query), rows(folder)
    restored, failed = (
        [row for row in all_rows if "why" not in row],
        [row for row in all_rows if "why" in row],
    )
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
