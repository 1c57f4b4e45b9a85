"""The API's description, /api/v1/openapi.json: the routes below and the schemas of the specs."""

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from jobs.specs import TESTS, DatasetSpec, ModelSpec
from jobs.specs.export import ExportSpec

# path: {method: (what it does, query parameters, name of the body's schema, status of success)}
ROUTES: dict[str, dict[str, tuple[str, tuple[str, ...], str, int]]] = {
    "/jobs": {"get": ("Jobs, newest first", ("kind", "state", "q", "limit", "cursor"), "", 200)},
    "/jobs/{id}": {
        "get": ("One job", (), "", 200),
        "patch": (
            "Change what a job is called: name, group, notes; or, while it waits, when it starts",
            (),
            "Words",
            200,
        ),
        "delete": ("Delete a job and its files", (), "", 204),
    },
    "/jobs/{id}/move": {
        "post": (
            "Let a waiting job start just before another one; without one, behind all",
            (),
            "Before",
            202,
        )
    },
    "/jobs/{id}/abort": {"post": ("Stop a job; what was finished is kept", (), "", 202)},
    "/jobs/{id}/resume": {
        "post": (
            "Go on with a job that failed or was aborted; a training from the snapshot that is named",
            (),
            "From",
            202,
        )
    },
    "/jobs/{id}/extend": {
        "post": (
            "Train on to more epochs, steps or minutes than were planned; goes on from the last snapshot",
            (),
            "Length",
            202,
        )
    },
    "/jobs/{id}/snapshots/{name}": {
        "delete": ("Delete a snapshot of a training that is not running", (), "", 204)
    },
    "/jobs/{id}/events": {"get": ("Its event log", ("since", "type"), "", 200)},
    "/jobs/{id}/scalars": {
        "get": ("Its curves", ("keys", "max_points", "from_step", "to_step"), "", 200)
    },
    "/jobs/{id}/scalars.csv": {"get": ("Every point of its curves, as CSV", ("keys",), "", 200)},
    "/jobs/{id}/results": {
        "get": (
            "What a test of many images found, a page at a time; the smallest gain first",
            ("sort", "order", "page"),
            "",
            200,
        )
    },
    "/jobs/{id}/results.csv": {"get": ("All of it, as CSV", (), "", 200)},
    "/jobs/{id}/results.json": {"get": ("All of it, as a list", (), "", 200)},
    "/jobs/{id}/record": {
        "get": ("What is needed to make it again, and the command that does", (), "", 200)
    },
    "/jobs/{id}/log": {
        "get": (
            "What its worker said, from a byte offset on, or the end of it: at most 64 KiB an answer",
            ("from",),
            "",
            200,
        )
    },
    "/datasets": {"post": ("Make a dataset", (), "DatasetSpec", 201)},
    "/probe": {
        "post": ("Look at the sources of a dataset before it is made", (), "ProbeRequest", 200)
    },
    "/datasets/{id}/pairs": {
        "get": ("Its pairs, a page at a time", ("split", "sort", "order", "page"), "", 200)
    },
    "/models": {
        "post": (
            "Train a model; several for several base learning rates and batch sizes, given as text: 0.001, 0.0003",
            (),
            "ModelRequest",
            201,
        )
    },
    "/models/preview": {
        "post": (
            "Look at a training before it is made; values may be missing or wrong",
            (),
            "PreviewRequest",
            200,
        )
    },
    "/models/{id}/tests": {
        "post": (
            "Test a model on one image, many, a split of its dataset, or a video",
            (),
            "TestRequest",
            201,
        )
    },
    "/tests/{id}/layers/{number}/channels/{channel}": {
        "get": (
            "A channel (from 0) of a layer (from 1) of a test of one image, and what it responds to most",
            (),
            "",
            200,
        )
    },
    "/models/{id}/exports": {
        "get": ("Its snapshots that were written for other programs", (), "", 200),
        "post": (
            "Write a snapshot as ONNX, TorchScript or torch.export, check it, and say where it is",
            (),
            "ExportSpec",
            201,
        ),
    },
    "/files": {"get": ("Browse the data roots", ("path",), "", 200)},
    "/uploads": {
        "post": (
            "Send a file (multipart/form-data, field file); or begin a resumable upload (tus 1.0.0)",
            (),
            "Upload",
            201,
        ),
        "options": ("What the server knows of tus", (), "", 204),
    },
    "/uploads/{id}": {
        "head": (
            "How much of an upload has arrived; its place, in Upload-Path, when it is whole",
            (),
            "",
            200,
        ),
        "patch": ("Send the next bytes of an upload", (), "Bytes", 204),
        "delete": ("Take an upload away", (), "", 204),
        "post": ("HEAD, PATCH or DELETE by X-HTTP-Method-Override", (), "", 204),
        "options": ("What the server knows of tus", (), "", 204),
    },
    "/healthz": {"get": ("Whether the server is well", (), "", 200)},
    "/openapi.json": {"get": ("This description", (), "", 200)},
}

METHODS = {"type": "string", "enum": ["HEAD", "PATCH", "DELETE"]}
TUS = {"Tus-Resumable": {"type": "string", "const": "1.0.0"}}
HEADERS: dict[tuple[str, str], dict[str, Any]] = {
    ("/uploads/{id}", "head"): TUS,
    ("/uploads/{id}", "patch"): {**TUS, "Upload-Offset": {"type": "integer", "minimum": 0}},
    ("/uploads/{id}", "delete"): TUS,
    ("/uploads/{id}", "post"): {**TUS, "X-HTTP-Method-Override": METHODS},
}
"""Headers that a request must have, by path and method."""

MEDIA = {"Upload": "multipart/form-data", "Bytes": "application/offset+octet-stream"}
"""The types of bodies that are no JSON."""


def document(root: str = "") -> dict[str, Any]:
    """An OpenAPI 3.1 description of the API of a server at `root`."""
    _, schemas = models_json_schema(
        [(spec, "validation") for spec in (DatasetSpec, ExportSpec, ModelSpec, *TESTS.values())],
        ref_template="#/components/schemas/{model}",
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
        "description": "As ModelRequest, of which all may be missing or wrong.",
    }
    definitions["From"] = {"type": "object", "properties": {"snapshot": {"type": "string"}}}
    definitions["ProbeRequest"] = _without(definitions["DatasetSpec"], "name")
    definitions["ProbeRequest"]["properties"]["thorough"] = {
        "type": "boolean",
        "description": "Compare all frames, for up to 25 s; else as many as half a second allows.",
    }
    definitions["Words"] = {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in ("name", "group", "notes")},
            "priority": {"type": "integer", "minimum": -100, "maximum": 100},
            "anyway": {"type": "boolean", "description": "Start on a GPU that other programs use."},
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
    paths = {
        path: {method: _operation(path, method, *route) for method, route in methods.items()}
        for path, methods in ROUTES.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clearframe", "version": "1"},
        "servers": [{"url": f"{root}/api/v1"}],
        "paths": paths,
        "components": {"schemas": definitions},
    }


def _let_sweep(definitions: dict[str, Any]) -> None:
    """Fields that take several values, as text or as a list, take them in the description, too."""
    texts = [{"type": "string"}, {"type": "array", "items": {"type": ["number", "string"]}}]
    for schema in definitions.values():
        for name, one in schema.get("properties", {}).items():
            if name in ("learning_rate", "batch_size") and "anyOf" not in one:
                kept = {key: one.pop(key) for key in list(one) if key in LIMITS}
                one["anyOf"] = [kept, *texts]


LIMITS = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    properties = {key: value for key, value in schema["properties"].items() if key != name}
    return {
        **schema,
        "properties": properties,
        "required": [key for key in schema.get("required", []) if key != name],
    }


def _operation(
    path: str, method: str, summary: str, query: tuple[str, ...], body: str, status: int
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in query
    ]
    for name in re.findall(r"{(\w+)}", path):
        parameters.append(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        )
    for name, schema in HEADERS.get((path, method), {}).items():
        parameters.append({"name": name, "in": "header", "required": True, "schema": schema})
    failure = {
        "description": "What is wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): {"description": "Done"}, "default": failure},
    }
    if body:
        media = MEDIA.get(body, "application/json")
        operation["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {"$ref": f"#/components/schemas/{body}"}}},
        }
    return operation
