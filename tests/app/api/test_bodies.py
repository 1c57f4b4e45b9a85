"""Tests of the largest bodies: refused before they are checked, or checked apart from the loop."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.routes import NOT_JSON, ROUTES
from app.web.safety import MAX_BODY, MAX_FIELDS
from tests.app.test_server import app, catalog, client
from tests.conftest import Clip
from tests.support.server import Server, answered_during

__all__ = ["app", "catalog", "client"]

WITH_JSON = [
    (route.method, "/api/v1" + route.path)
    for route in ROUTES
    if route.body is not None and route.body not in NOT_JSON
]
LARGE: dict[str, tuple[Any, int]] = {
    "bytes": ({"name": "x" * MAX_BODY}, 413),
    "fields": ({f"x{number}": 1 for number in range(1000)}, 422),
    "values": ({"a": [[1] * 10_000] * 3}, 422),
    "entries": ({"source": {"kind": "sequences", "entries": [{"a": 1}] * 20_000}}, 422),
}


def dataset_and_model(client: FlaskClient, clip: Clip) -> tuple[str, str]:
    source = {"stream": str(clip[0]), "originals": str(clip[1])}
    dataset = client.post("/api/v1/datasets", json={"name": "d", "source": source}).json["id"]
    model = client.post("/api/v1/models", json={"name": "m", "dataset": dataset}).json["id"]
    return dataset, model


@pytest.mark.parametrize("size", LARGE)
def test_large_bodies_are_refused_by_their_size(size: str, client: FlaskClient, clip: Clip) -> None:
    _, model = dataset_and_model(client, clip)
    body, status = LARGE[size]
    for method, path in WITH_JSON:
        address = path.replace("{id}", model).replace("{name}", "fast")
        answer = client.open(address, method=method.upper(), json=body)
        assert (path, answer.status_code) == (path, status)
        message = answer.json["error"]["message"]
        assert status == 413 or "The JSON is too large" in message


def test_forms_with_many_fields_are_refused(client: FlaskClient) -> None:
    answer = client.post("/models/new", data={f"x{n}": "1" for n in range(MAX_FIELDS + 1)})
    assert answer.status_code == 413
    answer = client.post("/models/new", data={"notes": "x" * MAX_BODY})
    assert answer.status_code == 413


def test_clients_cannot_send_the_entries_of_a_manifest(client: FlaskClient, clip: Clip) -> None:
    entries = [{"stream": "/etc/passwd", "originals": "/etc"}]
    source = {"kind": "sequences", "manifest": str(clip[0].parent), "entries": entries}
    for path in ("/api/v1/datasets", "/api/v1/probe"):
        fields = client.post(path, json={"name": "d", "source": source}).json["error"]["fields"]
        assert fields == {"source.entries": "Unknown or read-only field."}


def test_a_long_text_is_no_list_of_numbers(client: FlaskClient, clip: Clip) -> None:
    dataset, _ = dataset_and_model(client, clip)
    body = {"name": "m", "dataset": dataset, "solver": {"learning_rate": "0.1," * 50_000}}
    answer = client.post("/api/v1/models", json=body)
    assert answer.json["error"]["fields"] == {"solver.learning_rate": "Must be a number."}


def test_a_long_manifest_leaves_the_server_free(server: Server, clip: Clip, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    lines = [f"{clip[0]},{clip[1]}" for _ in range(5_000)] + [f"{clip[0]},/etc"]
    manifest.write_text("\n".join(["stream,originals", *lines]))
    source = {"kind": "sequences", "manifest": str(manifest)}
    body = {"name": "d", "source": source}
    status, answer = answered_during(server, lambda: server.call("/datasets", body))
    assert status == 422
    assert "/etc is outside the folders" in answer["error"]["fields"]["source.manifest"]


def test_a_long_network_leaves_the_server_free(server: Server) -> None:
    layer = (
        'layer {{ name: "c{n}" type: "Convolution" bottom: "{last}" top: "c{n}" '
        "convolution_param {{ num_output: 1 kernel_size: 1 }} }}"
    )
    names = ["data", *(f"c{n}" for n in range(1_900))]
    layers = [layer.format(n=n, last=names[n]) for n in range(1_900)]
    text = "\n".join(['layer { name: "data" type: "Input" top: "data" }', *layers])
    network = {"name": "custom", "prototxt": text}
    body = {"network": network}
    status, answer = answered_during(server, lambda: server.call("/models/preview", body))
    assert (status, answer["problems"]) == (200, {})
    assert len(answer["network"]["layers"]) >= 1_900
    assert json.dumps(answer)
