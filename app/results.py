"""What a test of many images found: sorted and a page at a time for its page and the API; whole, as CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from app import words
from app.problems import Invalid
from jobs.events import read
from jobs.folder import JobFolder
from jobs.totals import SCORES, Row, gain_of, is_measured

ROWS_A_PAGE = 100
FAILURES_SHOWN = 100
COLUMNS = ("index", "name", "image", "target", "pair", "width", "height", *SCORES[:2], "gain", *SCORES[2:], "notes", "why")
ROWS_A_PART = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that spreadsheets take for a formula."""

Job = dict[str, Any]
Sort = Literal["gain", "name", "index", "psnr_input", "psnr_output", "ssim_input", "ssim_output", "ssim_gain"]


class Wanted(BaseModel):
    """One page of results: the query of its page and of the API alike."""

    sort: Sort = "gain"
    order: Literal["asc", "desc"] = "asc"
    page: int = Field(1, ge=1)


def has_results(job: Job) -> bool:
    return job["kind"] == "test" and job["spec"].get("kind") in ("images", "split")


def rows(folder: JobFolder) -> list[Row]:
    """All that the log tells, by index; of an image that was tried again, the newest."""
    found: dict[int, Row] = {}
    for event in read(folder.events, types=frozenset({"results"})):
        found |= {row["index"]: row for row in event["rows"]}
    return [found[index] for index in sorted(found)]


def listing(folder: JobFolder, wanted: Wanted) -> dict[str, Any]:
    """A page of the restored images, and those that could not be. Raises Invalid."""
    all_rows = rows(folder)
    restored, failed = [row for row in all_rows if "why" not in row], [row for row in all_rows if "why" in row]
    pages = max(1, -(-len(restored) // ROWS_A_PAGE))
    if wanted.page > pages:
        raise Invalid({"page": f"There is no page {wanted.page}: the last one is {pages}."})
    first = (wanted.page - 1) * ROWS_A_PAGE
    return {
        "results": in_order(restored, wanted.sort, wanted.order == "desc")[first : first + ROWS_A_PAGE],
        "total": len(restored),
        "pages": pages,
        "failed": len(failed),
        "failures": failed[:FAILURES_SHOWN],
        **wanted.model_dump(),
    }


def in_order(restored: list[Row], sort: Sort, descending: bool) -> list[Row]:
    """Equal ones in their own order, those without a value last either way."""
    value = KEYS[sort]
    known = [row for row in restored if not math.isnan(value(row))] if sort != "name" else restored
    unknown = [row for row in restored if math.isnan(value(row))] if sort != "name" else []
    return sorted(known, key=value, reverse=descending) + unknown
