"""OpenAPI description at /api/v1/openapi.json, collected from what the views say of themselves.

routes.py has the routes, app/bodies.py the types of requests, app/answers.py those of the answers.
"""

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from app.answers import Refusal
from app.api.routes import JSON, NOT_JSON, ROUTES, Route

Schema = dict[str, Any]
Schemas = dict[tuple[str, str], Schema]
"""By operation and part: "body", or the media type of an answer."""


def document(root: str = "") -> Schema:
    """The OpenAPI 3.1 description of the API of a server below the URL prefix `root`."""
    paths, definitions = _described(len(ROUTES))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clearframe", "version": "1"},
        "servers": [{"url": f"{root}/api/v1"}],
        "paths": paths,
        "components": {"schemas": definitions},
    }


@cache
def _described(count: int) -> tuple[Schema, Schema]:
    """The paths and the named schemas: made once, since that takes 0.2 s of CPU time.

    `count` is the number of routes: if a module adds some, the description is made again.
    """
    schemas, definitions = _schemas()
    paths: Schema = {}
    for route in sorted(ROUTES, key=lambda route: route.path):
        paths.setdefault(route.path, {})[route.method] = _operation(route, schemas)
    return paths, definitions


def _schemas() -> tuple[Schemas, Schema]:
    """The schemas of all bodies and answers, and the named schemas that they refer to."""
    types = {(route.id, media): kind for route in ROUTES for media, kind in route.answers.items()}
    types |= {(route.id, "body"): route.body for route in ROUTES if route.body is not None}
    types["", JSON] = Refusal
    schemas, shared = TypeAdapter.json_schemas(
        [
            (key, "validation" if key[1] == "body" else "serialization", TypeAdapter(kind))
            for key, kind in types.items()
            if kind not in NOT_JSON
        ],
        ref_template="#/components/schemas/{model}",
    )
    others = {key: NOT_JSON[kind].schema for key, kind in types.items() if kind in NOT_JSON}
    return others | {key: schema for (key, _), schema in schemas.items()}, shared["$defs"]


def _operation(route: Route, schemas: Schemas) -> Schema:
    operation: Schema = {
        "operationId": route.id,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        media = NOT_JSON[route.body].media if route.body in NOT_JSON else JSON
        content = {media: {"schema": schemas[route.id, "body"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route) -> list[Schema]:
    text = {"type": "string"}
    query = [{"name": name, "in": "query", "schema": text} for name in route.query]
    path = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    headers = [
        {"name": name, "in": "header", "required": True, "schema": schema}
        for name, schema in route.headers.items()
    ]
    return [*query, *path, *headers]


def _responses(route: Route, schemas: Schemas) -> Schema:
    success: Schema = {"description": "Success"}
    if route.answers:
        success["content"] = {
            media: {"schema": schemas[route.id, media]} for media in route.answers
        }
    failure = {
        "description": "The error, by field where possible",
        "content": {JSON: {"schema": schemas["", JSON]}},
    }
    return {str(route.status): success, "default": failure}
