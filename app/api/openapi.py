"""OpenAPI description at /api/v1/openapi.json, collected from what the views say of themselves.

routes.py has the routes, app/answers.py the types of the answers, jobs/specs those of the requests.
"""

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from app.api.routes import ROUTES, Nothing, Route, Text
from jobs.specs import TESTS, DatasetSpec, ModelSpec
from jobs.specs.export import ExportSpec

MEDIA = {"Upload": "multipart/form-data", "Bytes": "application/offset+octet-stream"}
"""Media types of request bodies other than JSON."""
TEXTS: dict[Any, dict[str, Any]] = {
    Text: {"type": "string"},
    Nothing: {"type": "string", "maxLength": 0},
}
"""Schemas of answers that are not JSON."""
REFERENCE = "#/components/schemas/{model}"


def document(root: str = "") -> dict[str, Any]:
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
def _described(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths and the named schemas: made once, since that takes 0.2 s of CPU time.

    `count` is the number of routes: if a module adds some, the description is made again.
    """
    definitions, paths = _requests(), dict[str, Any]()
    schemas = _answers(definitions)
    for route in sorted(ROUTES, key=lambda route: route.path):
        paths.setdefault(route.path, {})[route.method] = _operation(route, schemas)
    return paths, definitions


def _answers(definitions: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The schemas of answers by operation and media type. Adds those that they refer to."""
    adapters = {
        (route.id, media): TypeAdapter(answer)
        for route in ROUTES
        for media, answer in route.answers.items()
        if answer not in TEXTS
    }
    schemas, shared = TypeAdapter.json_schemas(
        [(key, "serialization", adapter) for key, adapter in adapters.items()],
        ref_template=REFERENCE,
    )
    definitions |= shared.get("$defs", {})
    texts = {
        (route.id, media): TEXTS[answer]
        for route in ROUTES
        for media, answer in route.answers.items()
        if answer in TEXTS
    }
    return texts | {key: schema for (key, _), schema in schemas.items()}


def _requests() -> dict[str, Any]:
    """The schemas of the bodies of requests, by name, and that of errors."""
    _, schemas = models_json_schema(
        [(spec, "validation") for spec in (DatasetSpec, ExportSpec, ModelSpec, *TESTS.values())],
        ref_template=REFERENCE,
    )
    definitions: dict[str, Any] = schemas["$defs"]
    for kind in TESTS.values():
        definitions[kind.__name__] = _without(definitions[kind.__name__], "model")
    definitions["TestRequest"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in TESTS.values()]
    }
    definitions["ModelRequest"] = _without(definitions["ModelSpec"], "sweep")
    _let_sweep(definitions)
    definitions["PreviewRequest"] = {
        "type": "object",
        "description": "As ModelRequest; any field may be missing or wrong.",
    }
    definitions["From"] = {"type": "object", "properties": {"snapshot": {"type": "string"}}}
    definitions["ProbeRequest"] = _without(definitions["DatasetSpec"], "name")
    definitions["ProbeRequest"]["properties"]["thorough"] = {
        "type": "boolean",
        "description": "Compare all frames, for up to 25 s; otherwise as many as 0.5 s allows.",
    }
    definitions["Words"] = {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in ("name", "group", "notes")},
            "priority": {"type": "integer", "minimum": -100, "maximum": 100},
            "anyway": {
                "type": "boolean",
                "description": "Start even if other programs use the GPU.",
            },
        },
    }
    definitions["Before"] = {
        "type": "object",
        "properties": {"before": {"type": ["string", "null"]}},
        "required": ["before"],
    }
    definitions["Length"] = {
        "type": "object",
        "properties": {name: {"type": "number"} for name in ("epochs", "steps", "minutes")},
    }
    definitions["Upload"] = {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}},
        "required": ["file"],
    }
    definitions["Bytes"] = {"type": "string", "format": "binary"}
    definitions["Error"] = {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "fields": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            }
        },
    }
    return definitions


def _let_sweep(definitions: dict[str, Any]) -> None:
    """Let the schemas accept several values, as text or as a list, for the fields of sweeps."""
    lists = [{"type": "string"}, {"type": "array", "items": {"type": ["number", "string"]}}]
    for schema in definitions.values():
        for name, value in schema.get("properties", {}).items():
            if name in ("learning_rate", "batch_size") and "anyOf" not in value:
                number = {key: value.pop(key) for key in list(value) if key in LIMITS}
                value["anyOf"] = [number, *lists]


LIMITS = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    properties = {key: value for key, value in schema["properties"].items() if key != name}
    return {
        **schema,
        "properties": properties,
        "required": [key for key in schema.get("required", []) if key != name],
    }


def _operation(route: Route, schemas: dict[tuple[str, str], Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query
    ]
    for name in re.findall(r"{(\w+)}", route.path):
        parameters.append(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        )
    for name, schema in route.headers.items():
        parameters.append({"name": name, "in": "header", "required": True, "schema": schema})
    failure = {
        "description": "The error, by field where possible",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    success: dict[str, Any] = {"description": "Success"}
    if route.answers:
        success["content"] = {
            media: {"schema": schemas[route.id, media]} for media in route.answers
        }
    operation: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {str(route.status): success, "default": failure},
    }
    if route.body:
        media = MEDIA.get(route.body, "application/json")
        operation["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {"$ref": f"#/components/schemas/{route.body}"}}},
        }
    return operation
