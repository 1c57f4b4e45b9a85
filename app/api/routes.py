"""The decorator of API routes: it registers a view and keeps its description for OpenAPI.

The description of a route is at its view: the first line of the docstring is the summary, the
function's name is the operationId, the return annotation is the schema of the answer, and `body`
that of the request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

JSON = "application/json"
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
}


@dataclass(frozen=True)
class Route:
    """A route of the API, as the OpenAPI description shows it."""

    path: str
    """Such as /jobs/{id}."""
    method: str
    view: Callable[..., Any]
    status: int
    query: tuple[str, ...]
    """Names of the parameters in the query string."""
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
        text = (self.view.__doc__ or "").partition("\n\n")[0]
        return " ".join(text.split()).removesuffix(".")


ROUTES: list[Route] = []


def route(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    status: int = HTTPStatus.OK,
    query: tuple[str, ...] = (),
    headers: dict[str, Any] | None = None,
    body: Any = None,
    answers: dict[str, Any] | None = None,
) -> Callable[[View], View]:
    """Register a view at a rule of a blueprint, such as "/jobs/<id>", and describe it.

    `body` is a type of app/bodies.py, a spec, or a class of NOT_JSON. `answers` are the types of
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
            query=query,
            headers=headers or {},
            body=body,
            answers=_answers(view, status) if answers is None else answers,
        )
        ROUTES.append(described)
        return blueprint.route(rule, methods=[method])(view)

    return register


def _answers(view: Callable[..., Any], status: int) -> dict[str, Any]:
    if status == HTTPStatus.NO_CONTENT:
        return {}
    answer = get_type_hints(view)["return"]
    if get_origin(answer) is tuple:
        answer = get_args(answer)[0]
    if answer in (Any, Response):
        raise TypeError(f"{view.__name__} needs the type of its answer: annotate it, or `answers`.")
    return {JSON: answer}
