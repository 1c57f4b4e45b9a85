"""Who may speak to the server: the token, and the names that it answers to."""

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
import socketio
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from app.web.access import guarded, link
from tests.support.server import Server

TOKEN = "a-token-for-these-tests"  # noqa: S105


@Request.application
def everything(request: Request) -> Response:
    return Response("inside")


def asked(
    path: str = "/",
    host: str = "192.0.2.7:5000",
    on: str = "0.0.0.0",
    token: str | None = TOKEN,
    **more: str,
) -> TestResponse:
    client = Client(guarded(everything, on, token))
    return client.get(path, headers={"Host": host, **more})


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5000", "localhost", "LOCALHOST:5000", "[::1]:5000", "127.8.9.1"]
)
def test_this_machine_needs_no_token_under_its_own_names(host: str) -> None:
    assert asked(host=host, on="127.0.0.1", token=None).text == "inside"


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
def test_a_name_that_others_gave_to_this_machine_is_refused(host: str) -> None:
    for path in ("/", "/api/v1/jobs", "/socket.io/?EIO=4&transport=polling"):
        assert asked(path, host=host, on="127.0.0.1", token=None).status_code == 400
    assert asked("/", host="evil.example", Authorization=f"Bearer {TOKEN}").status_code == 400


def test_without_the_token_nothing_is_told() -> None:
    assert asked(Authorization=f"Bearer {TOKEN}").text == "inside"
    assert asked(Authorization=f"bearer  {TOKEN}").text == "inside"
    for wrong in (
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
            answer = asked(path, **wrong)
            assert (answer.status_code, "inside" in answer.text) == (401, False)
    assert "This server wants a token" in asked().text
    assert (
        asked("/api/v1/jobs")
        .json["error"]["message"]
        .startswith("It can be reached by others than you. Send the server's")
    )
    assert asked("/healthz").text == "inside"


def test_the_link_gives_a_cookie_and_leaves_no_token_in_the_address() -> None:
    client = Client(guarded(everything, "0.0.0.0", TOKEN))
    assert client.get("/?token=wrong").status_code == 401
    assert client.post(f"/?token={TOKEN}").status_code == 401
    answer = client.get(f"/models/new?clone=x&token={TOKEN}&clone=y")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/models/new?clone=x&clone=y")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    assert client.get("/models/new").text == "inside"


def test_a_link_leads_to_a_name_that_can_be_reached() -> None:
    assert link("127.0.0.1", 5000, None) == "http://127.0.0.1:5000/"
    assert link("::1", 80, None) == "http://[::1]:80/"
    assert link("0.0.0.0", 5000, "a/b") == f"http://{socket.gethostname()}:5000/?token=a/b"


@pytest.fixture
def public(tmp_path: Path, free_port: int) -> Iterator[Server]:
    server = Server(tmp_path / "home", [tmp_path], free_port)
    server.options = ["--host=0.0.0.0", f"--token={TOKEN}"]
    with server:
        yield server


def test_a_server_that_others_can_reach_wants_the_token_everywhere(
    public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{public.url}/api/v1/jobs")
    with refused.value:
        assert refused.value.code == 401
    client = socketio.SimpleClient()
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(public.url, namespace="/jobs", transports=["websocket"])
    client.connect(
        public.url,
        namespace="/jobs",
        transports=["websocket"],
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    client.emit("watch", {"job": "nobody", "since": 0})
    assert client.receive(timeout=10)[1]["error"] == "This job was deleted."
    client.disconnect()
    line = [
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
    without = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Send the server's token" in without.stderr
    monkeypatch.setenv("CLEARFRAME_TOKEN", TOKEN)
    with_it = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "There is no model nobody" in with_it.stderr


def test_what_those_who_operate_it_ask(public: Server) -> None:
    assert json.loads(urllib.request.urlopen(f"{public.url}/healthz").read()) == {"status": "ok"}
    connection = http.client.HTTPConnection("127.0.0.1", public.port)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse().read().decode()
    connection.close()
    assert "clearframe_clients 0.0" in answer
    assert (
        'clearframe_requests_total{endpoint="operated.healthz",method="GET",status="200"}' in answer
    )


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path, free_port: int) -> None:
    line = [
        sys.executable,
        "run_server.py",
        f"--home={tmp_path}",
        f"--port={free_port}",
        "--token=short",
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr[:45]) == (
        1,
        "Error: The token is short enough to be guesse",
    )
