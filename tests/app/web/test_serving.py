"""Shutdown and log of the server."""

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.live import LiveClient
from tests.support.server import Server

Clip = tuple[Path, Path]


def started_request(server: Server, length: int) -> socket.socket:
    """Send the headers of a request, whose body the server then waits for."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    head = (
        "POST /api/v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
    connection.sendall(head.encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_progress_completes_before_shutdown(
    number: signal.Signals, server: Server
) -> None:
    body = json.dumps({"name": "a"}).encode()
    with LiveClient(server.url), started_request(server, len(body)) as client:
        server.process.send_signal(number)
        deadline = time.monotonic() + 60
        while not refuses(server.port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.process.poll() is None
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 422")
    assert server.process.wait(60) == 0


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:  # Refused, or reset if the server was just closing the socket.
        return True
    return False


def test_a_stalled_request_delays_shutdown_only_until_the_timeout(server: Server) -> None:
    with started_request(server, 5):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0


def test_the_json_log_has_state_changes_and_requests_but_no_tokens(
    server: Server, clip: Clip
) -> None:
    server.kill()
    log = server.home.parent / "server.log"
    size_before = log.stat().st_size
    server.options = ["--log-format=json", "--log-level=debug"]
    server.start()
    id = server.dataset(clip, name="a “name”\nin two lines")
    server.wait(id, "done")
    server.call("/jobs?token=secret")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    text = log.read_bytes()[size_before:].decode()
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    states = [record["state"] for record in records if record.get("job") == id]
    assert states == ["running", "done"]
    assert {"time", "level", "logger", "message", "kind", "reason"} <= next(
        record for record in records if "job" in record
    ).keys()
    requests = [record for record in records if record.get("path") == "/api/v1/datasets"]
    assert [(record["method"], record["status"], record["client"]) for record in requests] == [
        ("POST", 201, "127.0.0.1")
    ]
    assert "secret" not in text


def test_names_cannot_forge_log_lines(server: Server, clip: Clip) -> None:
    id = server.dataset(clip, name="a\n2026-01-01 00:00:00,000 INFO forged\x1b[2J")
    server.wait(id, "done")
    log = (server.home.parent / "server.log").read_text()
    assert "forged" in log
    assert all(" is " in line for line in log.splitlines() if "forged" in line)
    assert "\x1b" not in log
