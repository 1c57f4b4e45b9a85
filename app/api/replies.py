"""Helpers of the JSON API routes: reading requests, and the format of errors."""

from collections.abc import Iterable
from typing import Any, TypeVar

from flask import Response, jsonify, request
from pydantic import BaseModel

from app.validation_errors import Invalid, validate

Query = TypeVar("Query", bound=BaseModel)

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


def spec_in_body(kind: str) -> Any:
    """The spec in the body of a request: the body itself, or the spec of a job or record in it.

    Raises Invalid.
    """
    payload = body()
    if not isinstance(payload.get("spec"), dict) or "id" not in payload:
        return payload
    if payload.get("kind") != kind:
        raise Invalid({"kind": f"This is the record of a {payload.get('kind')}, not of a {kind}."})
    return payload["spec"]


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


def arguments(kind: type[Query]) -> Query:
    """The query string as a class of parameters. An empty parameter is as good as none.

    Raises Invalid.
    """
    given = {
        name: texts[0] if len(texts) == 1 else texts
        for name, texts in request.args.lists()
        if any(texts)
    }
    names = {field.alias or name for name, field in kind.model_fields.items()}
    _refuse_unknown(given.keys() - names, f"Available: {', '.join(sorted(names))}.")
    return validate(kind, given)


def no_arguments() -> None:
    """Refuse a query string where there is none, so that no typo is ignored. Raises Invalid."""
    _refuse_unknown(request.args.keys(), "This address has no parameters.")


def _refuse_unknown(names: Iterable[str], text: str) -> None:
    unknown = dict.fromkeys(sorted(names), f"Unknown parameter. {text}")
    if unknown:
        raise Invalid(unknown)


def with_etag(answer: Any) -> Response:
    """The JSON of an answer with an ETag; 304 if the request has it in If-None-Match."""
    response = jsonify(answer)
    response.add_etag()
    response.make_conditional(request)
    return response
