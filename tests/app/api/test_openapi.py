"""Tests of the description of the API: it has every route, and every route is described whole."""

import re
from typing import Any, get_args, get_type_hints

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api import openapi
from app.api.routes import ROUTES, Route
from app.parameters import EventType
from app.settings import Settings
from jobs.core.types.events import JobEvent
from tests.app.test_server import app, catalog, client, dataset
from tests.conftest import Clip

__all__ = ["app", "catalog", "client"]

METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}


def operations() -> list[Any]:
    paths = openapi.document()["paths"].items()
    return [
        pytest.param(path, operation, id=operation["operationId"])
        for path, methods in paths
        for operation in methods.values()
    ]


def test_events_of_every_type_can_be_requested() -> None:
    types = {get_args(get_type_hints(kind)["type"])[0] for kind in get_args(JobEvent)}
    assert types == set(get_args(EventType))


def test_every_route_and_method_is_described_once(app: Flask, client: FlaskClient) -> None:
    paths = client.get("/api/v1/openapi.json").json["paths"]
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")) or "/", method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in METHODS.intersection(rule.methods or ())
    }
    by_flask = {
        (path, method)
        for path, method in served - described
        # Flask answers HEAD where there is GET, and OPTIONS everywhere.
        if method == "OPTIONS" or (method == "HEAD" and (path, "GET") in described)
    }
    assert served - by_flask == described
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("path", "operation"), operations())
def test_operations_are_described_whole(path: str, operation: Any) -> None:
    assert operation["summary"]
    assert operation["tags"][0] in openapi.TAGS
    in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", path)
    for parameter in operation["parameters"]:
        assert parameter["schema"].get("type") in ("string", "integer", "number", "array")
        assert parameter["in"] == "header" or parameter["description"]
    successes = [status for status in operation["responses"] if status.startswith("2")]
    (status,) = successes
    content = operation["responses"][status].get("content", {})
    assert bool(content) != (status == "204")
    assert all(media["schema"] for media in content.values())
    errors = set(operation["responses"]) - {status}
    assert errors >= {"401", "default"} | ({"404"} if in_path else set())


def parts(value: Any) -> list[dict[str, Any]]:
    """All objects in a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value] if isinstance(value, dict) else []
    return own + [part for each in inner for part in parts(each)]


def test_unions_with_a_tag_require_it_and_names_are_no_titles() -> None:
    schemas = openapi.document()["components"]["schemas"]
    unions = [part for part in parts(schemas) if "discriminator" in part and "oneOf" in part]
    assert len(unions) > 5
    for union in unions:
        tag = union["discriminator"]["propertyName"]
        for member in union["oneOf"]:
            schema = schemas[member["$ref"].rpartition("/")[2]]
            assert tag in schema["required"]
            assert "const" in schema["properties"][tag]
    assert not [part for part in parts(schemas) if isinstance(part.get("title"), str)]


def test_the_description_says_how_to_authenticate(app: Flask, client: FlaskClient) -> None:
    described = client.get("/api/v1/openapi.json").json
    schemes = described["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["cookie"]["name"] == "clearframe-80"
    assert described["security"] == []
    settings: Settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"token": "x" * 16})
    described = client.get("/api/v1/openapi.json").json
    assert described["security"] == [{"bearer": []}, {"cookie": []}]


def test_the_api_begins_with_its_links(client: FlaskClient) -> None:
    links: dict[str, str] = client.get("/api/v1").json  # type: ignore[assignment]
    assert list(links) == ["docs", "files", "health", "jobs", "metrics", "openapi"]
    for url in links.values():
        assert client.get(url).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("kind=clip", "kind", "Must be one of 'dataset', 'model' or 'test'."),
        ("state=waiting,finished", "state", "Must be one of"),
        ("limit=501", "limit", "Must be at most 500."),
        ("limit=0", "limit", "Must be at least 1."),
        ("limit=many", "limit", "Must be a whole number."),
        ("cursor=../x", "cursor", "Not a cursor: use the `cursor` of the previous page."),
        (
            "states=done",
            "states",
            "Unknown parameter. Available: cursor, kind, limit, owner, q, state, tag.",
        ),
        ("kind=test&kind=model", "kind", "Must be one of"),
    ],
)
def test_wrong_parameters_are_refused(
    query: str, field: str, sentence: str, client: FlaskClient
) -> None:
    answer = client.get(f"/api/v1/jobs?{query}")
    assert answer.status_code == 422
    (problem,) = answer.json["error"]["fields"].items()
    assert problem[0] == field
    assert problem[1].startswith(sentence)


@pytest.mark.parametrize(
    "route", [pytest.param(route, id=route.id) for route in ROUTES if route.method == "get"]
)
def test_no_address_ignores_an_unknown_parameter(route: Route, client: FlaskClient) -> None:
    path = re.sub("{(number|channel|index)}", "1", route.path)
    answer = client.get(f"/api/v1{re.sub('{.*?}', 'x', path)}?colour=x")
    # Addresses with an id look for the job first.
    expected = 404 if route.path_types and route.query else 422
    assert answer.status_code == expected
    assert expected == 404 or "colour" in answer.json["error"]["fields"]


def test_an_empty_parameter_is_as_good_as_none(client: FlaskClient) -> None:
    assert client.get("/api/v1/jobs?kind=&state=&q=&limit=&cursor=").status_code == 200
    assert client.get("/api/v1/jobs?state=done&state=error,waiting").status_code == 200


def test_an_unchanged_job_is_not_sent_again(client: FlaskClient, clip: Clip) -> None:
    id = dataset(client, clip)
    for url in ("/api/v1/jobs", f"/api/v1/jobs/{id}/record", f"/api/v1/jobs/{id}"):
        tag = {"If-None-Match": client.get(url).headers["ETag"]}
        again = client.get(url, headers=tag)
        assert (again.status_code, again.data) == (304, b"")
    client.patch(f"/api/v1/jobs/{id}", json={"name": "other"})
    changed = client.get(f"/api/v1/jobs/{id}", headers=tag)
    assert (changed.status_code, changed.json["name"]) == (200, "other")
