"""OpenAPI description at /api/v1/openapi.json, collected from what the views say of themselves.

routes.py has the routes, app/bodies.py the types of requests, app/answers.py those of the answers.
schemas.py makes the schemas of all these types. That takes half a second of processor time, so
`make generate` writes the file that the server sends.
"""

import json
from pathlib import Path

from app.answers import Refusal
from app.api.routes import JSON, NOT_JSON, ROUTES, Route
from app.api.schemas import Schema, Schemas, schemas_of
from app.web.access import COOKIE

FILE = Path(__file__).with_name("openapi.json")
TAGS = {
    "jobs": "Jobs of every kind: their state, events, curves and files",
    "datasets": "Datasets, their pairs, and the files that they can be made from",
    "models": "Trainings, their snapshots and exports",
    "results": "Results of tests of many images",
    "channels": "Layers of tests of one image",
    "uploads": "Resumable uploads by the tus protocol",
    "api": "The server itself",
}
BEARER, IN_COOKIE = "bearer", "cookie"
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "A text of your choice for this request. If it is sent again with the same key "
    "within a day, it is not carried out again: the answer is that to the first.",
}
ERRORS = {
    "401": "The server needs its token",
    "404": "It does not exist",
    "409": "The state of a job does not allow this now",
    "422": "A value is wrong; `fields` has a sentence for each",
    "default": "Any other error",
}


def document(root: str = "", port: str = "", needs_token: bool = False) -> Schema:
    """The OpenAPI 3.1 description of the API of a server.

    `root` is its URL prefix; `port` names its cookie. With `needs_token`, the server answers
    nobody without its token.
    """
    described: Schema = json.loads(FILE.read_text(encoding="utf-8"))
    schemes = {
        BEARER: {"type": "http", "scheme": "bearer", "description": "The token of the server."},
        IN_COOKIE: {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE.format(port=port),
            "description": "Set by the link that the server prints when it starts.",
        },
    }
    return {
        **described,
        "servers": [{"url": f"{root}/api/v1"}],
        "security": [{BEARER: []}, {IN_COOKIE: []}] if needs_token else [],
        "components": {"securitySchemes": schemes, **described["components"]},
    }


def routes_by_tag() -> list[tuple[str, str, list[Route]]]:
    """The routes as a page lists them: each tag with its description and its routes by path."""
    routes = sorted(ROUTES, key=lambda route: route.path)
    return [
        (tag, text, [route for route in routes if route.tag == tag]) for tag, text in TAGS.items()
    ]


def description() -> Schema:
    """The part of the document that is the same for all servers, for FILE."""
    schemas, definitions = _schemas()
    paths: Schema = {}
    for route in sorted(ROUTES, key=lambda route: route.path):
        paths.setdefault(route.path, {})[route.method] = _operation(route, schemas)
    errors = {
        _error_name(status): {
            "description": text,
            "content": {JSON: {"schema": schemas["", JSON]}},
        }
        for status, text in ERRORS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clearframe",
            "version": "1",
            "summary": "Undo compression damage in images and video",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {"schemas": definitions, "responses": errors},
    }


def _schemas() -> tuple[Schemas, Schema]:
    """The schemas of all parts of requests and answers, and those that they refer to, by name.

    Keys are an operation and a part: "query", "body", a parameter, or the media type of an answer.
    """
    types = {(route.id, media): kind for route in ROUTES for media, kind in route.answers.items()}
    types |= {(route.id, "body"): route.body for route in ROUTES if route.body is not None}
    types |= {(route.id, "query"): route.query for route in ROUTES if route.query is not None}
    types |= {(route.id, name): of for route in ROUTES for name, of in route.path_types.items()}
    types["", JSON] = Refusal
    others = {key: NOT_JSON[kind].schema for key, kind in types.items() if kind in NOT_JSON}
    schemas, definitions = schemas_of(
        {key: kind for key, kind in types.items() if kind not in NOT_JSON}
    )
    queries = {route.query.__name__ for route in ROUTES if route.query is not None}
    for (operation, part), schema in schemas.items():
        if part == "query":  # Its fields become parameters.
            schemas[operation, part] = definitions[schema["$ref"].rpartition("/")[2]]
    named = {name: schema for name, schema in definitions.items() if name not in queries}
    return others | schemas, named


def _operation(route: Route, schemas: Schemas) -> Schema:
    operation: Schema = {
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
    }
    if route.description:
        operation["description"] = route.description
    if route.body is not None:
        media = NOT_JSON[route.body].media if route.body in NOT_JSON else JSON
        content = {media: {"schema": schemas[route.id, "body"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, schemas: Schemas) -> list[Schema]:
    path = [
        _parameter(name, "path", schemas[route.id, name], required=True)
        for name in route.path_types
    ]
    fields = schemas[route.id, "query"]["properties"] if route.query is not None else {}
    query = [_parameter(name, "query", schema) for name, schema in fields.items()]
    headers = [
        _parameter(name, "header", schema, required=True) for name, schema in route.headers.items()
    ]
    keys = [IDEMPOTENCY_KEY] if route.method == "post" and route.tag != "uploads" else []
    return [*path, *query, *headers, *keys]


def _parameter(name: str, place: str, schema: Schema, required: bool = False) -> Schema:
    described: Schema = {"name": name, "in": place, "schema": _without_null(schema)}
    if text := described["schema"].pop("description", ""):
        described["description"] = text
    if required:
        described["required"] = True
    if schema.get("type") == "array":
        described |= {"style": "form", "explode": False}
    return described


def _without_null(schema: Schema) -> Schema:
    """The schema of a parameter, which is left out where a field is null."""
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if schema.get("default", ...) is None and "anyOf" in schema:
        (kind,) = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        return {**kind, **rest}
    return dict(schema)


def _responses(route: Route, schemas: Schemas) -> Schema:
    success: Schema = {"description": "Success"}
    if route.answers:
        success["content"] = {
            media: {"schema": schemas[route.id, media]} for media in route.answers
        }
    is_change = route.method in ("post", "patch", "delete")
    expected = {
        "401": True,
        "404": bool(route.path_types),
        "409": is_change and bool(route.path_types),
        "422": route.query is not None or route.body is not None,
        "default": True,
    }
    errors = {
        status: {"$ref": f"#/components/responses/{_error_name(status)}"}
        for status, is_expected in expected.items()
        if is_expected
    }
    return {str(route.status): success, **errors}


def _error_name(status: str) -> str:
    return f"Error{status.capitalize()}"
