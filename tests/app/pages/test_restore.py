"""Tests of the page that restores, and of the model cards of the starters."""

import io
import re
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from app.catalog.catalog import Catalog
from app.forms.restoring import STARTERS, card, facts_of
from jobs.media.images import read_image
from tests.app.pages.test_home import model
from tests.app.test_server import app, catalog, client
from tests.conftest import Clip
from tests.support.server import Server

__all__ = ["app", "catalog", "client"]


@pytest.mark.parametrize("name", STARTERS)
def test_the_page_shows_the_gain_of_the_model_card(name: str, server: Server) -> None:
    assert name in STARTERS
    facts = facts_of(name)
    assert 0 < facts.gain < 5
    assert 0 < facts.size < 10**6
    page = server.page("/restore")
    assert f"+{facts.gain:.2f} dB at QP 37" in page
    assert f'href="/starters/{name}"' in page
    assert f"| QP 37 | +{facts.gain:.2f} |" in card(name)
    own = server.page(f"/starters/{name}")
    assert f"<td>QP 37</td>\n<td>+{facts.gain:.2f}</td>" in own
    assert "<h2>Limits</h2>" in own
    assert "<br>" not in own  # The lines of a card are wrapped.


def test_the_starter_of_a_training_alone_has_a_card_and_restores_nothing(server: Server) -> None:
    assert "<h2>Limits</h2>" in server.page("/starters/example")
    assert "example" not in server.page("/restore")


def post(server: Server, fields: dict[str, tuple[str, bytes]]) -> tuple[int, str, str]:
    """Send the form like a browser without JavaScript; return status, address and page.

    `fields`: file name ("" for a text field) and content by name.
    """
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(f"{server.url}/restore") as response:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', response.read().decode())
    assert token is not None
    body = io.BytesIO()
    for name, (file, content) in {**fields, "csrf_token": ("", token[1].encode())}.items():
        extra = f'; filename="{file}"' if file else ""
        head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        body.write(head.encode() + content + b"\r\n")
    body.write(b"--limit--\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    request = urllib.request.Request(f"{server.url}/restore", body.getvalue(), headers)
    try:
        with opener.open(request) as response:
            return response.status, response.url, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url, error.read().decode()


def test_a_browser_without_javascript_sends_the_file(server: Server, clip: Clip) -> None:
    status, address, _ = post(server, {"file.upload": ("clip.h264", clip[0].read_bytes())})
    assert status == 200
    id = address.rsplit("/", 1)[1]
    assert server.wait(id, "done")["summary"]["frames"] == 24


def test_an_image_without_a_known_qp_is_restored_with_the_assumed_one(
    server: Server, tmp_path: Path
) -> None:
    damaged = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(noise).resize((96, 96)).save(damaged, "JPEG", quality=10)
    Image.open(damaged).save(tmp_path / "damaged.png")
    changes = []
    for qp in ("", "40"):
        fields = {"file": str(tmp_path / "damaged.png"), "qp": qp}
        _, address, _ = post(server, {name: ("", text.encode()) for name, text in fields.items()})
        id = address.rsplit("/", 1)[1]
        job = server.wait(id, "done")
        assert job["spec"]["qp"] == (int(qp) if qp else None)
        folder = server.home / "jobs" / id / "results"
        pictures = [read_image(folder / f"{role}.png") for role in ("input", "output")]
        changes.append(float(np.abs(pictures[0].astype(int) - pictures[1]).mean()))
    assert changes[0] < 0.1 < 1 < changes[1]


def test_errors_are_at_the_fields_of_the_form(server: Server, clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no image")
    for fields, label, message in (
        ({}, "Video or image", "This field is required."),
        ({"file": "nowhere.mp4"}, "Video or image", "nowhere.mp4 does not exist."),
        ({"file": str(tmp_path / "words.png")}, "Video or image", "is not a readable image"),
        ({"file": str(clip[0]), "original": "nowhere"}, "Original", "nowhere does not exist."),
        ({"file": str(clip[0]), "starter": "slow"}, "starter", "Must be one of"),
        ({"file": str(clip[0]), "qp": "60"}, "QP to assume", "at most 51"),
    ):
        texts = {name: ("", text.encode()) for name, text in fields.items()}
        status, _, page = post(server, texts)
        assert (status, message in page) == (422, True), page
        assert re.search(rf"<li>(<a[^>]*>)?{label}(</a>)?: ", page), page
        assert f'value="{fields.get("file", "")}"' in page


def test_a_trained_model_restores_in_place_of_a_starter(
    client: FlaskClient, catalog: Catalog, clip: Clip
) -> None:
    untrained = model(catalog, "without a snapshot")
    assert "Your own" not in client.get("/restore").text
    trained = model(catalog, "mine", 0.25)
    page = client.get("/restore").text
    assert f'<option value="{trained}">mine, +0.25 dB</option>' in page
    assert "without a snapshot" not in page
    form = {"file": str(clip[0]), "starter": "", "model": trained}
    address = client.post("/restore", data=form).location
    row = catalog.get(address.rsplit("/", 1)[1])
    assert row is not None
    network = [row.spec[name] for name in ("kind", "model", "starter", "snapshot")]
    assert network == ["video", trained, None, "best"]
    page = client.get(f"/restore?model={trained}").text
    assert re.search(r'value="" checked', page)
    refused = client.post("/restore", data={**form, "model": untrained})
    assert (refused.status_code, "has no snapshot yet" in refused.text) == (422, True)
    starter = client.post("/restore", data={**form, "starter": "good"}).location
    row = catalog.get(starter.rsplit("/", 1)[1])
    assert row is not None
    assert (row.spec["model"], row.spec["starter"]) == (None, "good")
