"""Tests of the page of a video test. The tests write the event logs of the workers."""

from flask import Flask
from flask.testing import FlaskClient

from app.catalog.catalog import Catalog
from jobs.specs import VideoTest
from tests.app.test_server import app, catalog, client, log

__all__ = ["app", "catalog", "client"]


def test_a_restored_video_can_be_downloaded(
    app: Flask, client: FlaskClient, catalog: Catalog
) -> None:
    id = catalog.create("test", VideoTest(model="abcdefgh", video="/a.mp4"))
    assert "The video appears here when it is restored" in client.get(f"/tests/{id}").text
    file = f"/jobs/{id}/files/results/restored.mp4"
    facts = {"file": file, "frames": 9, "width": 96, "height": 64, "frames_per_second": 3.14}
    log(catalog, id, "facts", **facts)
    row = catalog.get(id)
    assert row is not None
    catalog.catch_up(row)
    assert file in client.get(f"/tests/{id}").text
