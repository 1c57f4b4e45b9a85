"""Half-sent requests and unread answers never keep the server from answering others."""

import json
import resource
import socket
from collections.abc import Callable
from typing import Any

from tests.support.server import Server

SERVER = """
from gevent import monkey; monkey.patch_all()
import json, socket
from app.web import connections
from gevent.event import Event

release = Event()
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/slow":
        assert release.wait(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body or b"answer"]

def served(most, an_address):
    limits = connections.Connections(most, an_address)
    server = connections.Server(("127.0.0.1", 0), application, limits)
    server.start()
    return server

def sent(server, text):
    client = socket.create_connection(("127.0.0.1", server.server_port), timeout=60)
    client.sendall(text)
    return client

def answer(client):
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts).decode()

GET = b"GET / HTTP/1.0\\r\\n\\r\\n"
HALVES = (
    b"",
    b"GET",
    b"GET / HTTP/1.1\\r\\nHost: a",
    b"POST / HTTP/1.1\\r\\nContent-Length: 9\\r\\n\\r\\nbod"
)
"""


def run(python: Callable[[str], str], code: str) -> list[Any]:
    lines: list[Any] = json.loads(python(SERVER + code))
    return lines


def test_half_sent_requests_give_way(python: Callable[[str], str]) -> None:
    code = """
server = served(12, 8)
held = [sent(server, HALVES[number % 4]) for number in range(60)]
print(json.dumps([answer(sent(server, GET))[-6:] for _ in range(3)]))
"""
    assert run(python, code) == ["answer"] * 3


def test_requests_in_work_keep_their_connections(python: Callable[[str], str]) -> None:
    code = """
server = served(12, 3)
slow = [sent(server, b"GET /slow HTTP/1.0\\r\\n\\r\\n") for _ in range(3)]
import gevent
with gevent.Timeout(60):
    while sum(c.waits_since is None for c in server._connections._open) < 3:
        gevent.sleep(0.01)
refused = answer(sent(server, GET))
release.set()
print(json.dumps([refused.splitlines()[0], *(answer(client)[-6:] for client in slow)]))
"""
    refusal = "HTTP/1.0 503 Service Unavailable"
    assert run(python, code) == [refusal, "answer", "answer", "answer"]


def test_headers_and_bodies_have_time_limits(python: Callable[[str], str]) -> None:
    code = """
connections.HEADER_SECONDS = connections.SILENCE = 2
server = served(100, 100)
ends = [answer(client) for client in [sent(server, half) for half in HALVES]]
print(json.dumps([end.splitlines()[0] if end else "" for end in ends]))
"""
    first, second, third, fourth = run(python, code)
    assert (first, second) == ("", "")
    assert third == "HTTP/1.1 400 Bad Request"
    assert "200" not in fourth


UNREAD = """
import gevent
begun = []
def application(environ, start_response):
    begun.append(environ["PATH_INFO"])
    start_response("200 OK", [])
    return [b"answer" if environ["PATH_INFO"] == "/" else bytes(2**26)]

LARGE = b"GET /large HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
def blocked(server, count):
    held = [sent(server, LARGE) for _ in range(count)]
    with gevent.Timeout(60):
        while len(begun) < count:
            gevent.sleep(0.01)
    return held
"""


def test_answers_that_no_client_reads_give_way(python: Callable[[str], str]) -> None:
    code = """
server = served(3, 3)
held = blocked(server, 3)
print(json.dumps([answer(sent(server, GET))[-6:] for _ in range(2)]))
"""
    assert run(python, UNREAD + code) == ["answer"] * 2


def test_an_answer_that_no_client_reads_has_a_time_limit(python: Callable[[str], str]) -> None:
    code = """
connections.SILENCE, connections.BYTES_PER_SECOND = 2, 2**30
server = served(3, 3)
held = blocked(server, 1)
with gevent.Timeout(60):
    while server._connections._open:
        gevent.sleep(0.01)
print(json.dumps([len(answer(held[0])) < 2**26]))
"""
    assert run(python, UNREAD + code) == [True]


def limits_of_a_server(python: Callable[[str], str], before: str) -> list[int]:
    """The soft limit of descriptors, and the limit of connections, of a server."""
    code = """
import resource
limits = connections.limited(True)
print(json.dumps([resource.getrlimit(resource.RLIMIT_NOFILE)[0], limits._most]))
"""
    return run(python, f"import resource\n{before}\n{code}")


def test_descriptors_are_limited_for_jobs(python: Callable[[str], str]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    before = f"resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))"
    assert limits_of_a_server(python, before) == [most, most // 2]


def test_a_system_may_refuse_a_higher_limit(python: Callable[[str], str]) -> None:
    """As macOS does with an infinite hard limit."""
    before = """
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
def refuse(*_):
    raise ValueError("current limit exceeds maximum limit")
resource.setrlimit = refuse
"""
    assert limits_of_a_server(python, before) == [256, 128]


def test_an_application_learns_that_its_client_has_gone(python: Callable[[str], str]) -> None:
    code = """
import gevent
gone = Event()
def application(environ, start_response):
    before = environ[connections.HAS_LEFT]()
    release.set()
    while not environ[connections.HAS_LEFT]():
        gevent.sleep(0.01)
    answers.append(before)
    gone.set()
    start_response("200 OK", [])
    return [b""]

answers = []
client = sent(served(5, 5), GET)
assert release.wait(60)
client.close()
print(json.dumps([gone.wait(60), *answers]))
"""
    assert run(python, code) == [True, False]


def test_the_server_answers_while_others_hold_half_sent_requests(server: Server) -> None:
    held = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(300)]
    for client in held:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
    assert "ok" in server.page("/healthz")
    for client in held:
        client.close()
