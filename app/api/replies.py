"""Helpers of the JSON API routes: reading requests, and the format of errors."""

from typing import Any

from flask import Response, jsonify, request

from app.validation_errors import Invalid

MOST_FIELDS, MOST_VALUES = 200, 20_000
"""Limits on a body: fields of one object, and values in all. Each of them may become an error."""


TOO_LARGE = (
    f"The JSON is too large. Send at most {MOST_FIELDS} fields in an object and "
    f"{MOST_VALUES:,} values in all."
)
MOST_COMMAS = 5 * MOST_VALUES
"""Counted before a body is parsed: the texts in it may have commas too."""


def error(status: int, message: str, fields: dict[str, str] | None = None) -> tuple[Response, int]:
    """An error response; all errors of the API have this format."""
    return jsonify({"error": {"message": message, "fields": fields or {}}}), status


def body() -> Any:
    """The JSON object of the request. Raises Invalid if there is none."""
    if request.get_data().count(b",") > MOST_COMMAS:
        raise Invalid({"": TOO_LARGE})
    try:
        payload = request.get_json(silent=True)
    except RecursionError:  # [[[[[[…
        payload = None
    if not isinstance(payload, dict):
        raise Invalid({"": "Send a JSON object, with the header Content-Type: application/json."})
    if not _is_small(payload):
        raise Invalid({"": TOO_LARGE})
    return payload


def _is_small(payload: dict[str, Any]) -> bool:
    pending: list[Any] = [payload]
    count = 0
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            count += len(value)
            if count > MOST_VALUES or (isinstance(value, dict) and len(value) > MOST_FIELDS):
                return False
            pending += value.values() if isinstance(value, dict) else value
    return True


def names(parameter: str) -> frozenset[str]:
    """The names in a parameter of the query string, separated by commas."""
    return frozenset(request.args.get(parameter, "").split(",")) - {""}


def number(name: str, default: int, least: int = 0) -> int:
    """A whole number from the query string. Raises Invalid."""
    text = request.args.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) < least:
        raise Invalid({name: f"Must be a whole number of at least {least}."})
    return int(text)
