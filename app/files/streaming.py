"""Long answers, sent in parts: they block neither other requests nor fill the memory.

All CSV texts come from `csv_lines`.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from flask import Response

from app.turns import in_turns

T = TypeVar("T")

PACKET = 32 * 1024
"""Bytes from which parts are sent: a call of the socket for each small part would take longer
than the part."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that spreadsheets treat as a formula."""


def streamed(parts: Iterable[bytes | str], mimetype: str, file_name: str = "") -> Response:
    """A response of these parts, saved by browsers as `file_name` if there is one."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'} if file_name else {}
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return Response(joined(in_turns(encoded)), mimetype=mimetype, headers=headers)


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of at least PACKET bytes, but for the last one. None is empty."""
    packet = bytearray()
    for part in parts:
        packet += part
        if len(packet) >= PACKET:
            yield bytes(packet)
            packet.clear()
    if packet:
        yield bytes(packet)


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
