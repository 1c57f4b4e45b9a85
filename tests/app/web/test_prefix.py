"""The server below a path of its own, as a proxy asks it that takes that path away, and as one that leaves it there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings
from app.web.access import link

TOKEN = "a-token-for-these-tests"  # noqa: S105


@pytest.fixture
def client(home: Path, tmp_path: Path) -> FlaskClient:
    app = create_app(
        Settings(home, (tmp_path,), token=TOKEN, prefix="/clips/clearframe"), work=False
    )
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.set_cookie(*entered(client))
    return client


def entered(client: FlaskClient) -> tuple[str, str]:
    """The cookie that the link gives."""
    answer = client.get(f"/clips/clearframe/queue?a=1&token={TOKEN}", headers={"Host": "localhost"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/clips/clearframe/queue?a=1")
    name, value = answer.headers["Set-Cookie"].split(";")[0].split("=", 1)
    return name, value


@pytest.mark.parametrize("asked", ["/clips/clearframe", ""])
def test_what_it_answers_leads_below_the_prefix(asked: str, client: FlaskClient) -> None:
    page = client.get(f"{asked}/queue").text
    led = re.findall(r'(?:href|src|action)="(/[^"]*)', page)
    assert len(led) > 8
    assert [where for where in led if not where.startswith("/clips/clearframe/")] == []
    assert 'data-root="/clips/clearframe"' in page
    sent = client.post(
        f"{asked}/columns/model", data={"columns": "psnr", "back": "/clips/clearframe/?q=a"}
    )
    assert (sent.status_code, sent.headers["Location"]) == (303, "/clips/clearframe/?q=a#models")
    elsewhere = client.post(
        f"{asked}/columns/model", data={"columns": "psnr", "back": "//evil.example/?q=a"}
    )
    assert elsewhere.headers["Location"] == "/clips/clearframe/#models"
    upload = client.post(
        f"{asked}/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    )
    assert upload.headers["Location"].startswith("/clips/clearframe/api/v1/uploads/")
    assert (
        client.head(upload.headers["Location"], headers={"Tus-Resumable": "1.0.0"}).status_code
        == 200
    )
    told = client.get(f"{asked}/api/v1/openapi.json").json
    assert told is not None
    assert told["servers"] == [{"url": "/clips/clearframe/api/v1"}]
    assert client.get(f"{asked}/healthz").status_code == 200


def test_a_path_that_only_begins_like_the_prefix_is_another(client: FlaskClient) -> None:
    assert client.get("/clips/clearframe").status_code == 200
    assert client.get("/clips/clearframes/queue").status_code == 404
    assert client.get("/clips/clearframe/clips/clearframe/queue").status_code == 404


@pytest.mark.parametrize(
    "prefix", ["clearframe", "//evil.example", "/a b", "/a?b", "/../a", "/a\n"]
)
def test_what_is_no_path_is_refused_at_the_start(prefix: str) -> None:
    run = subprocess.run(
        [sys.executable, "run_server.py", "--prefix", prefix],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "is no path such as /clearframe" in run.stderr


def test_the_link_that_is_printed_has_it() -> None:
    assert link("127.0.0.1", 5000, "t", "/a") == "http://127.0.0.1:5000/a/?token=t"
