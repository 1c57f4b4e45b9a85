"""Tests of the queue page without a browser."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.catalog.catalog import Catalog
from jobs.specs import DatasetSpec
from tests.app.test_server import app, catalog, client

__all__ = ["app", "catalog", "client"]

SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)


@pytest.fixture
def waiting(catalog: Catalog) -> list[str]:
    return [catalog.create("dataset", SPEC) for _ in range(4)]


def order(catalog: Catalog) -> list[str]:
    return [row.id for row in catalog.waiting()]


@pytest.mark.parametrize(
    ("move", "after"),
    [("first", [2, 0, 1, 3]), ("up", [0, 2, 1, 3]), ("down", [0, 1, 3, 2]), ("last", [0, 1, 3, 2])],
)
def test_a_job_is_moved(
    move: str, after: list[int], client: FlaskClient, catalog: Catalog, waiting: list[str]
) -> None:
    assert client.post(f"/jobs/{waiting[2]}/queue", data={"move": move}).location == "/queue"
    assert order(catalog) == [waiting[place] for place in after]


@pytest.mark.parametrize(("move", "place"), [("up", 0), ("first", 0), ("down", 3), ("last", 3)])
def test_moving_a_job_to_its_own_place_changes_nothing(
    move: str, place: int, client: FlaskClient, catalog: Catalog, waiting: list[str]
) -> None:
    assert client.post(f"/jobs/{waiting[place]}/queue", data={"move": move}).status_code == 302
    assert order(catalog) == waiting


def test_wrong_priorities_and_changes_of_started_jobs_are_refused(
    client: FlaskClient, catalog: Catalog, waiting: list[str]
) -> None:
    assert client.post(f"/jobs/{waiting[3]}/queue", data={"priority": "9"}).status_code == 302
    assert order(catalog) == [waiting[3], *waiting[:3]]
    for wrong in ("", "many", "101"):
        assert client.post(f"/jobs/{waiting[0]}/queue", data={"priority": wrong}).status_code == 422
    catalog.launched.add(waiting[0])
    for form in ({"move": "first"}, {"priority": "1"}):
        response = client.post(f"/jobs/{waiting[0]}/queue", data=form)
        assert (response.status_code, "is no longer waiting" in response.text) == (409, True)


def test_a_job_held_up_by_other_programs_can_be_started_anyway(
    app: Flask, client: FlaskClient, catalog: Catalog, waiting: list[str]
) -> None:
    assert "Start anyway" not in client.get("/queue").text
    catalog.blocked[waiting[1]] = "GPU 0 is used by other programs."
    page = client.get("/queue").text
    assert page.count("Start anyway") == 1
    assert "GPU 0 is used by other programs." in page
    client.post(f"/jobs/{waiting[1]}/queue", data={"anyway": "1"})
    assert catalog.waiting()[1].queue == {"anyway": True}
    assert "Start anyway" not in client.get("/queue").text
