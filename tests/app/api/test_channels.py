"""Tests of the route for one channel of a layer. A stub replaces the worker."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.application import create_app
from app.catalog.catalog import Catalog
from app.runner.warm import Unanswerable, WorkerLost
from app.settings import Settings
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.specs import ImageTest, VideoTest

MODEL = "0" * 22


@pytest.fixture
def test(home: Path) -> str:
    folder = folders.create(
        home, "test", ImageTest.model_validate({"model": MODEL, "image": "/a.png"})
    )
    with EventLog(folder.events) as log:
        cast(Any, log).append("layer", index=1, name="conv/1", shape=[4, 8, 8])
    (folder.path / "layers").mkdir()
    (folder.path / "layers" / "01-conv_1-c003.json").write_text(json.dumps({"low": 0.5}))
    return folder.id


@pytest.fixture
def app(home: Path, tmp_path: Path, test: str) -> Flask:
    return create_app(Settings(home=home, data_roots=(tmp_path,)), work=False)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def ask(client: FlaskClient, test: str, layer: int, channel: int) -> tuple[int, Any]:
    response = client.get(f"/api/v1/tests/{test}/layers/{layer}/channels/{channel}")
    return response.status_code, response.json


def test_a_stored_channel_is_read_from_its_file(client: FlaskClient, test: str) -> None:
    assert ask(client, test, 1, 3) == (200, {"low": 0.5})


def test_missing_tests_layers_and_channels_are_reported(
    client: FlaskClient, test: str, app: Flask
) -> None:
    catalog: Catalog = app.extensions["catalog"]
    video = catalog.create("test", VideoTest.model_validate({"model": MODEL, "video": "/a.mp4"}))
    for id, layer, channel, status, sentence in (
        ("none", 1, 0, 404, "Test none not found."),
        (test, 2, 0, 404, "The test has no layer 2: it has 1, counted from 1."),
        (test, 1, 4, 404, "Layer 1, conv/1, has no channel 4: it has 4, counted from 0."),
        (video, 1, 0, 422, "Only tests of one image have layers."),
    ):
        assert (status, sentence) == (
            ask(client, id, layer, channel)[0],
            ask(client, id, layer, channel)[1]["error"]["message"],
        )


@pytest.mark.parametrize(
    ("error", "status"),
    [(WorkerLost("Try again."), 503), (Unanswerable("The model was deleted."), 422)],
)
def test_the_reason_of_a_failed_worker_is_reported(
    client: FlaskClient, test: str, app: Flask, error: Exception, status: int
) -> None:
    class Failing:
        def ask(self, model: str, question: dict[str, Any]) -> dict[str, Any]:
            assert (model, question["layer"], question["channel"]) == (MODEL, 1, 0)
            raise error

    app.extensions["warm"] = Failing()
    response_status, response = ask(client, test, 1, 0)
    assert (response_status, response["error"]["message"]) == (status, str(error))
