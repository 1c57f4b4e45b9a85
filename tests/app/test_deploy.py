"""deploy/: nginx in front, as its example says; the unit as systemd reads it."""

import http.client
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import websocket

from jobs.core.paths import ROOT
from tests.support.server import Server, free_port

DEPLOY = ROOT / "deploy"
TOKEN = "a-token-for-these-tests"  # noqa: S105
NAME = "clearframe.example"


@pytest.fixture
def proxied(server: Server, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx with TLS before a server that was told of it."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    server.kill()
    server.options = [f"--name={NAME}", "--proxies=1", f"--token={TOKEN}"]
    server.start()
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        f"/CN={NAME}",
    ]
    subprocess.run(
        [*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    block = (DEPLOY / "nginx.conf").read_text()
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:5000": f"127.0.0.1:{server.port}",
        "/etc/ssl/clearframe.pem": str(certificate),
        "/etc/ssl/clearframe.key": str(key),
    }.items():
        assert old in block
        block = block.replace(old, new)
    places = "".join(
        f"{what}_temp_path {tmp_path}/{what};"
        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ access_log off; {places} {block} }}"
    )
    with subprocess.Popen(
        ["nginx", "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(config)]
    ) as nginx:
        try:
            wait_for(port)
            yield port
        finally:
            nginx.send_signal(signal.SIGTERM)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            ask(port, "/healthz")
            return
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def ask(
    port: int, path: str, host: str = NAME, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    client = http.client.HTTPSConnection("127.0.0.1", port, context=unverified(), timeout=30)
    client.request(method, path, headers={"Host": f"{host}:{port}", **headers})
    answer = client.getresponse()
    told = answer.status, dict(answer.getheaders()), answer.read().decode()
    client.close()
    return told


def test_behind_nginx_it_is_reached_by_its_name_with_its_token(
    proxied: int, server: Server
) -> None:
    assert ask(proxied, "/")[0] == 401
    assert ask(proxied, "/", host="evil.example", Authorization=f"Bearer {TOKEN}")[0] == 400
    status, headers, _ = ask(proxied, f"/?token={TOKEN}")
    assert (status, headers["Location"]) == (303, "/")
    assert "Secure" in headers["Set-Cookie"]  # The server knows that this is TLS.
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, _, page = ask(proxied, "/", Cookie=cookie)
    assert (status, "Undo compression damage" in page) == (200, True)
    origin = {
        "Cookie": cookie,
        "Origin": f"https://{NAME}:{proxied}",
        "Content-Type": "application/json",
    }
    assert ask(proxied, "/api/v1/datasets", method="POST", **origin)[0] == 422
    assert (
        ask(proxied, "/api/v1/datasets", method="POST", **{**origin, "Origin": f"http://{NAME}"})[0]
        == 403
    )


def test_live_updates_come_through_nginx(proxied: int) -> None:
    """Word for word (Engine.IO 4, Socket.IO 5): python-socketio's client reads in two threads, and hangs where there is TLS."""
    url, who = (
        f"wss://127.0.0.1:{proxied}/socket.io/?EIO=4&transport=websocket",
        f"Authorization: Bearer {TOKEN}",
    )
    trusting = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    with closing(
        websocket.create_connection(url, timeout=20, header=[who], sslopt=trusting)
    ) as line:
        assert str(line.recv()).startswith("0{")
        line.send("40/jobs,")
        assert str(line.recv()).startswith("40/jobs,{")
        line.send('42/jobs,["watch",{"job":"nobody"}]')
        assert (
            line.recv()
            == '42/jobs,["events",{"job":"nobody","events":[],"error":"This job was deleted."}]'
        )


def test_without_being_told_of_proxies_it_believes_none(server: Server) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(
        "POST",
        "/api/v1/datasets",
        "{}",
        {"X-Forwarded-Host": "evil.example", "Origin": "http://evil.example"},
    )
    assert client.getresponse().status == 403
    client.close()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = (
        (DEPLOY / "clearframe.service")
        .read_text()
        .replace("/opt/clearframe/bin/clearframe-server", sys.executable)
    )
    path = tmp_path / "clearframe.service"
    path.write_text(unit)
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert "clearframe.service" not in ran.stderr, ran.stderr
    assert ran.returncode == 0


@pytest.mark.parametrize("name", ["clearframe.service", "Dockerfile"])
def test_what_is_started_are_options_that_there_are(name: str) -> None:
    line = next(
        line
        for line in (DEPLOY / name).read_text().splitlines()
        if line.startswith(("ExecStart", "ENTRYPOINT"))
    )
    known = subprocess.run(
        [sys.executable, "run_server.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=DEPLOY.parent,
    )
    options = re.findall(r"--[a-z-]+", line)
    assert options
    assert [option for option in options if option not in known.stdout] == []
