"""The application under a URL prefix, behind proxies that strip it and proxies that keep it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.settings import Settings
from app.web.access import link

TOKEN = "a-token-for-these-tests"  # noqa: S105


@pytest.fixture
def client(home: Path, tmp_path: Path) -> FlaskClient:
    app = create_app(
        Settings(home=home, data_roots=(tmp_path,), token=TOKEN, prefix="/clips/clearframe"),
        work=False,
    )
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.set_cookie(*login_cookie(client))
    return client


def login_cookie(client: FlaskClient) -> tuple[str, str]:
    """Name and value of the cookie that the link sets."""
    response = client.get(
        f"/clips/clearframe/queue?a=1&token={TOKEN}", headers={"Host": "localhost"}
    )
    assert (response.status_code, response.headers["Location"]) == (
        303,
        "/clips/clearframe/queue?a=1",
    )
    name, value = response.headers["Set-Cookie"].split(";")[0].split("=", 1)
    return name, value


@pytest.mark.parametrize("path", ["/clips/clearframe", ""])
def test_addresses_in_responses_start_with_the_prefix(path: str, client: FlaskClient) -> None:
    page = client.get(f"{path}/queue").text
    links = re.findall(r'(?:href|src|action)="(/[^"]*)', page)
    assert len(links) > 8
    assert [address for address in links if not address.startswith("/clips/clearframe/")] == []
    assert 'data-root="/clips/clearframe"' in page
    response = client.post(
        f"{path}/columns/model", data={"columns": "psnr", "back": "/clips/clearframe/?q=a"}
    )
    assert (response.status_code, response.headers["Location"]) == (
        303,
        "/clips/clearframe/?q=a#models",
    )
    foreign = client.post(
        f"{path}/columns/model", data={"columns": "psnr", "back": "//evil.example/?q=a"}
    )
    assert foreign.headers["Location"] == "/clips/clearframe/#models"
    upload = client.post(
        f"{path}/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    )
    assert upload.headers["Location"].startswith("/clips/clearframe/api/v1/uploads/")
    assert (
        client.head(upload.headers["Location"], headers={"Tus-Resumable": "1.0.0"}).status_code
        == 200
    )
    description = client.get(f"{path}/api/v1/openapi.json").json
    assert description is not None
    assert description["servers"] == [{"url": "/clips/clearframe/api/v1"}]
    assert client.get(f"{path}/healthz").status_code == 200


def test_only_the_whole_prefix_is_stripped_and_only_once(client: FlaskClient) -> None:
    assert client.get("/clips/clearframe").status_code == 200
    assert client.get("/clips/clearframes/queue").status_code == 404
    assert client.get("/clips/clearframe/clips/clearframe/queue").status_code == 404


@pytest.mark.parametrize(
    "prefix", ["clearframe", "//evil.example", "/a b", "/a?b", "/../a", "/a\n"]
)
def test_an_invalid_prefix_is_refused_at_startup(prefix: str) -> None:
    process = subprocess.run(
        [sys.executable, "run_server.py", "--prefix", prefix],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 2
    assert "is not a URL path" in process.stderr


def test_the_printed_link_contains_the_prefix() -> None:
    assert link("127.0.0.1", 5000, "t", "/a") == "http://127.0.0.1:5000/a/?token=t"
