"""Access control: the token, and the host names that the server accepts."""

import http.client
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from app.web.access import guarded, link
from tests.support.live import LiveClient
from tests.support.server import Server

TOKEN = "a-token-for-these-tests"  # noqa: S105


@Request.application
def application(request: Request) -> Response:
    return Response("inside")


def get(
    path: str = "/",
    host: str = "192.0.2.7:5000",
    listen: str = "0.0.0.0",
    token: str | None = TOKEN,
    **headers: str,
) -> TestResponse:
    """Send a request with a Host header to a server that listens on another address."""
    client = Client(guarded(application, listen, token))
    return client.get(path, headers={"Host": host, **headers})


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5000", "localhost", "LOCALHOST:5000", "[::1]:5000", "127.8.9.1"]
)
def test_loopback_host_names_need_no_token(host: str) -> None:
    assert get(host=host, listen="127.0.0.1", token=None).text == "inside"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "192.0.2.7:5000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "127.0.0.1:5000@x",
        "[::1",
        "é",
    ],
)
def test_foreign_host_names_are_refused(host: str) -> None:
    for path in ("/", "/api/v1/jobs", "/socket.io/?EIO=4&transport=polling"):
        assert get(path, host=host, listen="127.0.0.1", token=None).status_code == 400
    assert get("/", host="evil.example", Authorization=f"Bearer {TOKEN}").status_code == 400


def test_requests_without_the_token_are_refused() -> None:
    assert get(Authorization=f"Bearer {TOKEN}").text == "inside"
    assert get(Authorization=f"bearer  {TOKEN}").text == "inside"
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
    ):
        for path in (
            "/",
            "/static/js/base/live.js",
            "/jobs/a/files/job.json",
            "/metrics",
            "//healthz",
            "/healthz/../jobs",
        ):
            response = get(path, **headers)
            assert (response.status_code, "inside" in response.text) == (401, False)
    assert "This server requires a token" in get().text
    assert (
        get("/api/v1/jobs")
        .json["error"]["message"]
        .startswith("This server is reachable from the network. Send the server's")
    )
    assert get("/healthz").text == "inside"


def test_the_link_sets_a_cookie_and_redirects_without_the_token() -> None:
    client = Client(guarded(application, "0.0.0.0", TOKEN))
    assert client.get("/?token=wrong").status_code == 401
    assert client.post(f"/?token={TOKEN}").status_code == 401
    response = client.get(f"/models/new?clone=x&token={TOKEN}&clone=y")
    assert (response.status_code, response.headers["Location"]) == (
        303,
        "/models/new?clone=x&clone=y",
    )
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    assert client.get("/models/new").text == "inside"


def test_the_link_has_a_reachable_host_name() -> None:
    assert link("127.0.0.1", 5000, None) == "http://127.0.0.1:5000/"
    assert link("::1", 80, None) == "http://[::1]:80/"
    assert link("0.0.0.0", 5000, "a/b") == f"http://{socket.gethostname()}:5000/?token=a/b"


@pytest.fixture
def public(tmp_path: Path, free_port: int) -> Iterator[Server]:
    server = Server(tmp_path / "home", [tmp_path], free_port)
    server.options = ["--host=0.0.0.0", f"--token={TOKEN}"]
    with server:
        yield server


def test_a_public_server_requires_the_token_everywhere(
    public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{public.url}/api/v1/jobs", timeout=120)
    with refusal.value:
        assert refusal.value.code == 401
    with pytest.raises(LiveClient.LOST, match="401"):
        LiveClient(public.url)
    with LiveClient(public.url, header=[f"Authorization: Bearer {TOKEN}"]) as client:
        client.watch("nobody")
        assert client.receive()["error"] == "This job was deleted."
    command = [
        sys.executable,
        "-m",
        "commands.main",
        "test",
        "image",
        "nobody",
        "--image",
        "/x.png",
        "--server",
        public.url,
    ]
    without_token = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Send the server's token" in without_token.stderr
    monkeypatch.setenv("CLEARFRAME_TOKEN", TOKEN)
    with_token = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "has the name or the id nobody" in with_token.stderr


def test_health_and_metrics_of_a_public_server(public: Server) -> None:
    assert json.loads(urllib.request.urlopen(f"{public.url}/healthz", timeout=120).read()) == {
        "status": "ok"
    }
    connection = http.client.HTTPConnection("127.0.0.1", public.port)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse().read().decode()
    connection.close()
    assert "clearframe_clients 0.0" in response
    assert (
        'clearframe_requests_total{endpoint="operated.healthz",method="GET",status="200"}'
        in response
    )


def test_a_short_token_is_refused(tmp_path: Path, free_port: int) -> None:
    command = [
        sys.executable,
        "run_server.py",
        f"--home={tmp_path}",
        f"--port={free_port}",
        "--token=short",
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (process.returncode, process.stderr[:46]) == (
        1,
        "Error: The token is too short. Use at least 16",
    )
