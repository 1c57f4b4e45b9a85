"""How the server answers, ends, and what it says of itself meanwhile."""

import json
import signal
import socket
import time
from pathlib import Path

import pytest
import socketio

from tests.support.server import Server

Clip = tuple[Path, Path]


def begun(server: Server, length: int) -> socket.socket:
    """A request of which the server waits for the body."""
    line = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    line.sendall(f"POST /api/v1/datasets HTTP/1.1\r\n{head}".encode())
    assert line.recv(1000).startswith(b"HTTP/1.1 100 Continue")
    return line


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_under_way_is_given_before_the_end(word: signal.Signals, server: Server) -> None:
    watcher = socketio.Client(reconnection=False)
    watcher.connect(server.url, namespaces=["/jobs"])
    body = json.dumps({"name": "a"}).encode()
    with begun(server, len(body)) as client:
        server.process.send_signal(word)
        deadline = time.monotonic() + 10
        while not refuses(server.port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.process.poll() is None
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 422")
    assert server.process.wait(5) == 0
    watcher.disconnect()


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:  # Refused; or reset, where it was just closing.
        return True
    return False


def test_nobody_keeps_the_server_for_ever(server: Server) -> None:
    with begun(server, 5):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


def test_programs_can_read_what_it_says(server: Server, clip: Clip) -> None:
    server.kill()
    said = server.home.parent / "server.log"
    before = said.stat().st_size
    server.options = ["--log-format=json", "--log-level=debug"]
    server.start()
    id = server.dataset(clip, name="a “name”\nin two lines")
    server.wait(id, "done")
    server.call("/jobs?token=secret")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait()
    text = said.read_bytes()[before:].decode()
    told = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    states = [one["state"] for one in told if one.get("job") == id]
    assert states == ["running", "done"]
    assert {"time", "level", "logger", "message", "kind", "reason"} <= next(
        one for one in told if "job" in one
    ).keys()
    asked = [one for one in told if one.get("path") == "/api/v1/datasets"]
    assert [(one["method"], one["status"], one["client"]) for one in asked] == [
        ("POST", 201, "127.0.0.1")
    ]
    assert "secret" not in text


def test_no_name_makes_a_line_of_its_own(server: Server, clip: Clip) -> None:
    id = server.dataset(clip, name="a\n2026-01-01 00:00:00,000 INFO forged\x1b[2J")
    server.wait(id, "done")
    said = (server.home.parent / "server.log").read_text()
    assert "forged" in said
    assert all(" is " in line for line in said.splitlines() if "forged" in line)
    assert "\x1b" not in said
