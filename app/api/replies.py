"""What the routes of the JSON API have in common: how a request is read, and the one shape of an error."""

from typing import Any

from flask import Response, jsonify, request

from app.catalog.database import JobRow
from app.current import catalog
from app.problems import Invalid

MOST_JSON = 16 * 2**20
"""Bytes: more than the longest network and list of paths."""


class NotFound(Exception):
    pass


def error(status: int, message: str, fields: dict[str, str] | None = None) -> tuple[Response, int]:
    """The one shape of an error."""
    return jsonify({"error": {"message": message, "fields": fields or {}}}), status


def job_or_404(id: str, kind: str = "") -> JobRow:
    row = catalog().get(id)
    if row is None or (kind and row.kind != kind):
        raise NotFound(f"There is no {kind or 'job'} {id}.")
    return row


def body() -> Any:
    """The request's JSON. Raises Invalid where there is none."""
    request.max_content_length = MOST_JSON
    try:
        sent = request.get_json(silent=True)
    except RecursionError:  # [[[[[[…
        sent = None
    if not isinstance(sent, dict):
        raise Invalid({"": "Send a JSON object, with the header Content-Type: application/json."})
    return sent


def number(name: str, default: int, least: int = 0) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) < least:
        raise Invalid({name: f"Must be a whole number of at least {least}."})
    return int(text)
