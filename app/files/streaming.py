"""Long answers, sent in parts: they block neither other requests nor fill the memory.

All CSV texts come from `csv_lines`.
"""

import csv
import io
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import gevent
from flask import Response

from app.threads import PAUSE

T = TypeVar("T")

TURN = 0.005
"""Seconds of work after which other requests get their turn."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that spreadsheets treat as a formula."""


def in_turns(items: Iterable[T]) -> Iterator[T]:
    """The items, with turns of other greenlets between them: a fast client would block all others.

    Producing one item should take less than TURN.
    """
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > TURN:
            gevent.sleep(PAUSE)
            began = time.monotonic()


def streamed(parts: Iterable[bytes | str], mimetype: str, file_name: str = "") -> Response:
    """A response of these parts, saved by browsers as `file_name` if there is one.

    Skips empty parts, which compression may leave.
    """
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'} if file_name else {}
    filled = (part.encode() if isinstance(part, str) else part for part in in_turns(parts))
    return Response(filter(None, filled), mimetype=mimetype, headers=headers)


def divided(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most `size` items."""
    return (items[first : first + size] for first in range(0, len(items), size))


def json_items(parts: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The items of all parts as a JSON list, in a text per part."""
    separator = "["
    for part in parts:
        if part:
            yield separator + json.dumps(part, separators=(",", ":"))[1:-1]
            separator = ","
    yield "[]" if separator == "[" else "]"


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Lines of CSV (RFC 4180). None and NaN are empty cells.

    A text that a spreadsheet would compute gets a leading apostrophe.
    """
    buffer = io.StringIO()
    csv.writer(buffer).writerows(map(_cell, row) for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if isinstance(value, float) and math.isnan(value) else value
