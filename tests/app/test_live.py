"""Live updates agree with the pages and the API."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.application import create_app
from app.live.extensions import socketio
from app.settings import Settings
from jobs.core.events import EventLog
from jobs.specs import DatasetSpec

SPEC = DatasetSpec.model_validate(
    {"name": "clip", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)


@pytest.fixture
def app(home: Path) -> Flask:
    """An application that follows no logs."""
    return create_app(Settings(home=home), work=False)


def states(client: Any) -> list[str]:
    messages = [message["args"][0] for message in client.get_received("/jobs")]
    return [event["state"] for message in messages for event in message["events"]]


def test_a_client_gets_no_event_before_the_api_has_its_result(app: Flask) -> None:
    """A page that learns that its job is done requests the result at once, and only once."""
    catalog, listeners = app.extensions["catalog"], app.extensions["listeners"]
    id = catalog.create("dataset", SPEC)
    with EventLog(catalog.folder(id).events) as log:
        log.append("state", state="done", reason="", summary={"pairs": {"train": 1}})
    client = socketio.test_client(app, namespace="/jobs")
    client.emit("watch", {"job": id, "since": 0}, namespace="/jobs")
    assert states(client) == ["waiting"]
    row = catalog.get(id)
    _, events, _ = catalog.catch_up(row)
    listeners.send(id, events)
    assert states(client) == ["done"]
    assert catalog.get(id).view["summary"]["pairs"] == {"train": 1}
