"""The decorator of API routes: it registers a view and keeps its description for OpenAPI.

The description of a route is at its view: the docstring is its summary and description, the
function's name is the operationId, the annotations are the schemas of its parameters in the path
and of its answer, `query` and `body` those of the rest of the request.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from app.api.replies import no_arguments

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

JSON = "application/json"
ZIP = "application/zip"
EVENT_STREAM = "text/event-stream"
EMPTY = "text/html"
"""Flask's media type for a response without a body."""


class Text:
    """Stands for an answer of plain text, such as CSV."""


class Nothing:
    """Stands for an answer without a body."""


class Form:
    """Stands for a form with a file."""


class Bytes:
    """Stands for a part of a file."""


class Zip:
    """Stands for a ZIP archive."""


class MetricsText:
    """Stands for metrics in the text format of Prometheus."""


class EventStream:
    """Stands for server-sent events."""


@dataclass(frozen=True)
class NotJson:
    """The media type and the schema of what is no JSON."""

    media: str
    schema: dict[str, Any]


FILE = {"type": "string", "format": "binary"}
NOT_JSON: dict[Any, NotJson] = {
    Text: NotJson("text/csv", {"type": "string"}),
    Nothing: NotJson(EMPTY, {"type": "string", "maxLength": 0}),
    Form: NotJson(
        "multipart/form-data",
        {"type": "object", "properties": {"file": FILE}, "required": ["file"]},
    ),
    Bytes: NotJson("application/offset+octet-stream", FILE),
    Zip: NotJson(ZIP, FILE),
    MetricsText: NotJson("text/plain", {"type": "string"}),
    EventStream: NotJson(EVENT_STREAM, {"type": "string"}),
}


@dataclass(frozen=True)
class Route:
    """A route of the API, as the OpenAPI description shows it."""

    path: str
    """Such as /jobs/{id}."""
    method: str
    view: Callable[..., Any]
    status: int
    tag: str
    """The group of routes that it belongs to: the name of its blueprint."""
    query: Any
    """Type of the query string: a class of parameters; None without one."""
    headers: dict[str, Any]
    """Schemas of the required headers, by name."""
    body: Any
    """Type of the request's body; None without one."""
    answers: dict[str, Any]
    """Types of the answer, by media type."""

    @property
    def id(self) -> str:
        return self.view.__name__

    @property
    def summary(self) -> str:
        text = inspect.getdoc(self.view) or ""
        return " ".join(text.partition("\n\n")[0].split()).removesuffix(".")

    @property
    def description(self) -> str:
        return (inspect.getdoc(self.view) or "").partition("\n\n")[2]

    @property
    def path_types(self) -> dict[str, Any]:
        """Types of the parameters in the path, by name."""
        return {name: self.view.__annotations__[name] for name in re.findall(r"{(\w+)}", self.path)}


ROUTES: list[Route] = []


def route(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    status: int = HTTPStatus.OK,
    query: Any = None,
    headers: dict[str, Any] | None = None,
    body: Any = None,
    answers: dict[str, Any] | None = None,
) -> Callable[[View], View]:
    """Register a view at a rule of a blueprint, such as "/jobs/<id>", and describe it.

    `query` is a class of parameters, for `arguments` in replies.py. `body` is a type of
    app/bodies.py, a spec, or a class of NOT_JSON. `answers` are the types of
    the answer by media type. By default they follow from the return annotation: a type of
    app/answers.py, or a tuple of it and a status.
    """

    def register(view: View) -> View:
        path = (blueprint.url_prefix or "") + rule
        for converter in ("int:", ""):
            path = path.replace(f"<{converter}", "{")
        described = Route(
            path=path.replace(">", "}").removeprefix("/api/v1"),
            method=method.lower(),
            view=view,
            status=int(status),
            tag=blueprint.name,
            query=query,
            headers=headers or {},
            body=body,
            answers=_answers(view, status) if answers is None else answers,
        )
        ROUTES.append(described)
        return blueprint.route(rule, methods=[method])(view if query else _without_query(view))

    return register


def _without_query(view: View) -> View:
    @functools.wraps(view)
    def checked(*parts: Any, **named_parts: Any) -> ResponseReturnValue:
        no_arguments()
        return view(*parts, **named_parts)

    return cast(View, checked)


def _answers(view: Callable[..., Any], status: int) -> dict[str, Any]:
    if status == HTTPStatus.NO_CONTENT:
        return {}
    answer = get_type_hints(view, include_extras=True)["return"]
    if get_origin(answer) is tuple:
        answer = get_args(answer)[0]
    if answer in (Any, Response):
        raise TypeError(f"{view.__name__} needs the type of its answer: annotate it, or `answers`.")
    return {JSON: answer}
