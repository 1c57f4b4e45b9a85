"""OpenAPI description at /api/v1/openapi.json: the routes below and the schemas of the specs."""

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from jobs.specs import TESTS, DatasetSpec, ModelSpec
from jobs.specs.export import ExportSpec

# path: {method: (summary, query parameters, schema name of the request body, success status)}
ROUTES: dict[str, dict[str, tuple[str, tuple[str, ...], str, int]]] = {
    "/jobs": {"get": ("Jobs, newest first", ("kind", "state", "q", "limit", "cursor"), "", 200)},
    "/jobs/{id}": {
        "get": ("One job", (), "", 200),
        "patch": (
            "Change name, group and notes of a job; or the priority of a waiting job",
            (),
            "Words",
            200,
        ),
        "delete": ("Delete a job and its files", (), "", 204),
    },
    "/jobs/{id}/move": {
        "post": (
            "Move a waiting job before another, or to the end of the queue",
            (),
            "Before",
            202,
        )
    },
    "/jobs/{id}/abort": {"post": ("Abort a job; finished work is kept", (), "", 202)},
    "/jobs/{id}/resume": {
        "post": (
            "Resume a failed or aborted job; a training from the given snapshot",
            (),
            "From",
            202,
        )
    },
    "/jobs/{id}/extend": {
        "post": (
            "Train longer: more epochs, steps or minutes, from the last snapshot",
            (),
            "Length",
            202,
        )
    },
    "/jobs/{id}/snapshots/{name}": {
        "delete": ("Delete a snapshot of a training that is not running", (), "", 204)
    },
    "/jobs/{id}/events": {"get": ("Events of a job", ("since", "type"), "", 200)},
    "/jobs/{id}/scalars": {
        "get": (
            "Curves of a training, downsampled",
            ("keys", "max_points", "from_step", "to_step"),
            "",
            200,
        )
    },
    "/jobs/{id}/scalars.csv": {"get": ("All points of the curves, as CSV", ("keys",), "", 200)},
    "/jobs/{id}/results": {
        "get": (
            "Results of a test of many images, by page; the smallest gain first",
            ("sort", "order", "page"),
            "",
            200,
        )
    },
    "/jobs/{id}/results.csv": {"get": ("All results, as CSV", (), "", 200)},
    "/jobs/{id}/results.json": {"get": ("All results, as a JSON list", (), "", 200)},
    "/jobs/{id}/record": {
        "get": ("Spec, command, facts and summary to reproduce a job", (), "", 200)
    },
    "/jobs/{id}/log": {
        "get": (
            "Log of the worker from a byte offset, else its end; at most 64 KiB",
            ("from",),
            "",
            200,
        )
    },
    "/datasets": {"post": ("Create a dataset", (), "DatasetSpec", 201)},
    "/probe": {
        "post": ("Check the sources of a dataset without creating it", (), "ProbeRequest", 200)
    },
    "/datasets/{id}/pairs": {
        "get": ("Pairs of a dataset, by page", ("split", "sort", "order", "page"), "", 200)
    },
    "/models": {
        "post": (
            "Train a model, or one per base learning rate and batch size: “0.001, 0.0003”",
            (),
            "ModelRequest",
            201,
        )
    },
    "/models/preview": {
        "post": (
            "Preview a training without creating it; values may be missing or wrong",
            (),
            "PreviewRequest",
            200,
        )
    },
    "/models/{id}/tests": {
        "post": (
            "Test a model on an image, several images, a split of its dataset, or a video",
            (),
            "TestRequest",
            201,
        )
    },
    "/tests/{id}/layers/{number}/channels/{channel}": {
        "get": (
            "A channel (from 0) of a layer (from 1) of a test of one image",
            (),
            "",
            200,
        )
    },
    "/models/{id}/exports": {
        "get": ("Exported snapshots of a model", (), "", 200),
        "post": (
            "Export a snapshot as ONNX, TorchScript or torch.export, and check it",
            (),
            "ExportSpec",
            201,
        ),
    },
    "/files": {"get": ("Browse the data roots", ("path",), "", 200)},
    "/uploads": {
        "post": (
            "Upload a file (multipart/form-data, field file), or start a tus 1.0.0 upload",
            (),
            "Upload",
            201,
        ),
        "options": ("tus capabilities of the server", (), "", 204),
    },
    "/uploads/{id}": {
        "head": (
            "Offset of an upload; path in Upload-Path when complete",
            (),
            "",
            200,
        ),
        "patch": ("Send the next bytes of an upload", (), "Bytes", 204),
        "delete": ("Remove an upload", (), "", 204),
        "post": ("HEAD, PATCH or DELETE by X-HTTP-Method-Override", (), "", 204),
        "options": ("tus capabilities of the server", (), "", 204),
    },
    "/healthz": {"get": ("Health check", (), "", 200)},
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
"""Required request headers, by path and method."""

MEDIA = {"Upload": "multipart/form-data", "Bytes": "application/offset+octet-stream"}
"""Media types of request bodies other than JSON."""


def document(root: str = "") -> dict[str, Any]:
    """The OpenAPI 3.1 description of the API of a server below the URL prefix `root`."""
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
        "description": "The error, by field where possible",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): {"description": "Success"}, "default": failure},
    }
    if body:
        media = MEDIA.get(body, "application/json")
        operation["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {"$ref": f"#/components/schemas/{body}"}}},
        }
    return operation
