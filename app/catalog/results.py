"""The results of a test of many images, read from its event log: all rows, or a sorted page."""

import math
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from app.answers import ResultsPage
from app.turns import in_turns
from app.validation_errors import Invalid
from jobs.core.events import in_parts
from jobs.core.folder import JobFolder
from jobs.core.totals import gain_of_image
from jobs.core.types.events import ResultsEvent
from jobs.core.types.samples import ResultRow

ROWS_A_PAGE = 100
FAILURES_SHOWN = 100

Sort = Literal["index", "name", "psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"]


class ResultsQuery(BaseModel):
    """The query string of a page of results, for the page and the API.

    Without `sort`, the smallest gain comes first if gains are known.
    """

    model_config = ConfigDict(extra="ignore")

    sort: Sort | None = Field(
        None, description="Sort images by this key; without it, by gain if gains are known."
    )
    order: Literal["asc", "desc"] = Field("asc", description="Ascending or descending.")
    page: int = Field(1, ge=1, description="Number of the page, from 1.")
    low: float | None = Field(
        None, allow_inf_nan=False, description="Only images with a gain of at least this, in dB."
    )
    high: float | None = Field(
        None, allow_inf_nan=False, description="Only images with a gain of less than this, in dB."
    )


def rows(folder: JobFolder) -> list[ResultRow]:
    """All rows of the log, by index; for an image that was restored again, the newest row."""
    newest: dict[int, ResultRow] = {}
    for events in in_turns(in_parts(folder.events, types=frozenset({"results"}))):
        for event in events:
            newest |= {row["index"]: row for row in cast(ResultsEvent, event)["rows"]}
    return [newest[index] for index in sorted(newest)]


def results_page(folder: JobFolder, query: ResultsQuery) -> ResultsPage:
    """A page of the restored images, and the first FAILURES_SHOWN failures. Raises Invalid."""
    all_rows = rows(folder)
    restored, failed = (
        [row for row in all_rows if "why" not in row],
        [row for row in all_rows if "why" in row],
    )
    total = len(restored)
    has_gains = any(not math.isnan(gain_of_image(row)) for row in restored)
    sort: Sort = query.sort or ("gain" if has_gains else "index")
    if query.low is not None or query.high is not None:
        low = -math.inf if query.low is None else query.low
        high = math.inf if query.high is None else query.high
        restored = [row for row in restored if low <= gain_of_image(row) < high]
    pages = max(1, -(-len(restored) // ROWS_A_PAGE))
    if query.page > pages:
        raise Invalid({"page": f"Page {query.page} does not exist. The last page is {pages}."})
    first = (query.page - 1) * ROWS_A_PAGE
    return {
        "results": sort_rows(restored, sort, query.order == "desc")[first : first + ROWS_A_PAGE],
        "total": total,
        "pages": pages,
        "page": query.page,
        "sort": sort,
        "order": query.order,
        "failed": len(failed),
        "failures": failed[:FAILURES_SHOWN],
    }


def sort_rows(restored: list[ResultRow], sort: Sort, descending: bool) -> list[ResultRow]:
    """Sort rows by a column: equal rows by index, rows without a value last either way."""
    measured = [row for row in restored if sort == "name" or not math.isnan(_number(row, sort))]
    unmeasured = [row for row in restored if sort != "name" and math.isnan(_number(row, sort))]
    if sort == "name":
        return sorted(measured, key=lambda row: str(row["name"]), reverse=descending)
    return sorted(measured, key=lambda row: _number(row, sort), reverse=descending) + unmeasured


def _number(row: ResultRow, sort: Sort) -> float:
    """The sort key of a row. The PSNR of equal images is null and sorts as infinity.

    An unmeasured value is NaN.
    """
    if sort == "gain":
        return gain_of_image(row)
    value: Any = row[sort]
    if value is None:
        return math.nan if math.isnan(gain_of_image(row)) or sort.startswith("ssim") else math.inf
    return float(value)
