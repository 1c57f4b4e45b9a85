"""Compression of pages, JSON and CSV."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify, send_file
from flask.testing import FlaskClient

from app.files.streaming import streamed
from app.web import compression

TEXT = "frame,psnr\n" + "1,30.25\n" * 1000
closed: list[str] = []


class Parts:
    def __iter__(self) -> Iterator[str]:
        yield from (TEXT[:5], "", TEXT[5:])

    def close(self) -> None:
        closed.append("parts")


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    app = Flask("tests")
    compression.init_app(app)
    file = tmp_path / "worker.log"
    file.write_text(TEXT)
    views: dict[str, Any] = {
        "page": lambda: TEXT,
        "json": lambda: jsonify(text=TEXT),
        "small": lambda: jsonify(text="small"),
        "csv": lambda: streamed(Parts(), "text/csv"),
        "parts": lambda: Response(Parts(), mimetype="text/csv"),
        "file": lambda: send_file(file),
        "docs.help": lambda: send_file(file, mimetype="text/css"),
        "png": lambda: Response(TEXT, mimetype="image/png"),
        "error": lambda: (TEXT, 404),
    }
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    return app.test_client()


@pytest.mark.parametrize("path", ["page", "json", "csv", "parts", "docs.help"])
def test_texts_are_compressed_for_clients_that_accept_it(client: FlaskClient, path: str) -> None:
    plain = client.get(f"/{path}", buffered=True)
    sent = client.get(f"/{path}", headers={"Accept-Encoding": "br, gzip"}, buffered=True)
    assert plain.headers.get("Content-Encoding") is None
    assert sent.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(sent.data) == plain.data
    assert plain.headers["Vary"] == sent.headers["Vary"] == "Accept-Encoding"
    assert len(sent.data) < len(plain.data) / 10
    assert sent.headers.get("Content-Length") in (None, str(len(sent.data)))


@pytest.mark.parametrize("path", ["small", "file", "png", "error"])
def test_other_responses_are_not(client: FlaskClient, path: str) -> None:
    with client.get(f"/{path}", headers={"Accept-Encoding": "gzip"}) as sent:
        assert sent.headers.get("Content-Encoding") is None


def test_a_compressed_stream_closes_what_it_reads(client: FlaskClient) -> None:
    closed.clear()
    client.get("/parts", headers={"Accept-Encoding": "gzip"}).close()
    assert closed == ["parts"]
