"""Tests of deploy/: a server behind nginx, and the systemd unit."""

import http.client
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.core.paths import ROOT
from tests.support.live import LiveClient
from tests.support.server import Server, free_port

DEPLOY = ROOT / "deploy"
TOKEN = "a-token-for-these-tests"  # noqa: S105
NAME = "clearframe.example"


@pytest.fixture
def proxied(server: Server, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx with TLS in front of a server that trusts one proxy."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    server.kill()
    server.options = [f"--name={NAME}", "--proxies=1", f"--token={TOKEN}"]
    server.start()
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    command = [
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
        [*command, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=120,
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
    temp_paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; "
        f"events {{}} http {{ access_log off; {temp_paths} {block} }}"
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
    deadline = time.monotonic() + 60
    while True:
        try:
            send(port, "/healthz")
            return
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def send(
    port: int, path: str, host: str = NAME, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    client = http.client.HTTPSConnection("127.0.0.1", port, context=unverified(), timeout=60)
    client.request(method, path, headers={"Host": f"{host}:{port}", **headers})
    response = client.getresponse()
    result = response.status, dict(response.getheaders()), response.read().decode()
    client.close()
    return result


def test_a_server_behind_nginx_requires_its_name_and_token(proxied: int, server: Server) -> None:
    assert send(proxied, "/")[0] == 401
    assert send(proxied, "/", host="evil.example", Authorization=f"Bearer {TOKEN}")[0] == 400
    status, headers, _ = send(proxied, f"/?token={TOKEN}")
    assert (status, headers["Location"]) == (303, "/")
    assert "Secure" in headers["Set-Cookie"]  # The server knows that the client uses TLS.
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, _, page = send(proxied, "/", Cookie=cookie)
    assert (status, "Undo compression damage" in page) == (200, True)
    own_headers = {
        "Cookie": cookie,
        "Origin": f"https://{NAME}:{proxied}",
        "Content-Type": "application/json",
    }
    assert send(proxied, "/api/v1/datasets", method="POST", **own_headers)[0] == 422
    assert (
        send(
            proxied,
            "/api/v1/datasets",
            method="POST",
            **{**own_headers, "Origin": f"http://{NAME}"},
        )[0]
        == 403
    )


def test_live_updates_pass_through_nginx(proxied: int) -> None:
    no_checks = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    headers = [f"Authorization: Bearer {TOKEN}"]
    with LiveClient(f"https://127.0.0.1:{proxied}", header=headers, sslopt=no_checks) as client:
        client.watch("nobody")
        assert client.receive()["error"] == "This job was deleted."


def test_proxy_headers_are_ignored_without_the_option_proxies(server: Server) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(
        "POST",
        "/api/v1/datasets",
        "{}",
        {"X-Forwarded-Host": "evil.example", "Origin": "http://evil.example"},
    )
    assert client.getresponse().status == 403
    client.close()


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = (
        (DEPLOY / "clearframe.service")
        .read_text()
        .replace("/opt/clearframe/bin/clearframe-server", sys.executable)
    )
    path = tmp_path / "clearframe.service"
    path.write_text(unit)
    process = subprocess.run(
        ["systemd-analyze", "verify", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "clearframe.service" not in process.stderr, process.stderr
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["clearframe.service", "Dockerfile"])
def test_the_start_command_uses_existing_options(name: str) -> None:
    line = next(
        line
        for line in (DEPLOY / name).read_text().splitlines()
        if line.startswith(("ExecStart", "ENTRYPOINT"))
    )
    process = subprocess.run(
        [sys.executable, "run_server.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=DEPLOY.parent,
        timeout=120,
    )
    options = re.findall(r"--[a-z-]+", line)
    assert options
    assert [option for option in options if option not in process.stdout] == []
