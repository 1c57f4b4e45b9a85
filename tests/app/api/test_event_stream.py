"""Tests of server-sent events of jobs: whole, in order, continued, and without blocking others."""

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from tests.conftest import Clip
from tests.support.server import Server
from tests.support.waiting import wait_until

MOST = 100


@contextmanager
def opened(server: Server, id: str, last: str = "") -> Iterator[http.client.HTTPResponse]:
    """The stream of a job, after the event with the id `last`."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        connection.request("GET", f"/api/v1/jobs/{id}/events", headers=headers)
        with closing(connection.getresponse()) as response:
            yield response


def events(response: http.client.HTTPResponse) -> Iterator[Any]:
    """The events of a stream; each has its number as id."""
    id = ""
    for line in response:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "id":
            id = value
        if key == "data":
            event = json.loads(value)
            assert str(event["seq"]) == id
            yield event


def test_events_come_while_a_job_runs_until_its_end(server: Server, clip: Clip) -> None:
    training = {"name": "m", "dataset": server.dataset(clip), "minutes": 10, "patch_size": 32}
    id = server.create("/models", training)
    seen = []
    with opened(server, id) as response:
        kind = response.headers["Content-Type"].split(";")[0]
        assert (response.status, kind) == (200, "text/event-stream")
        for event in events(response):
            seen.append(event)
            if event["type"] == "scalars":
                assert server.call(f"/jobs/{id}/abort", {})[0] == 202  # It answers others.
                break
        seen += events(response)
    assert seen == server.call(f"/jobs/{id}/events")[1]["events"]
    assert (seen[-1]["type"], seen[-1]["state"]) == ("state", "aborted")
    middle = len(seen) // 2
    with opened(server, id, str(seen[middle]["seq"])) as response:
        assert list(events(response)) == seen[middle + 1 :]
    for last, status in ((str(seen[-1]["seq"]), 204), ("x", 400)):
        with opened(server, id, last) as response:
            assert response.status == status


def test_the_number_of_streams_is_limited_and_closed_ones_are_free(
    server: Server, clip: Clip
) -> None:
    training = {"name": "m", "dataset": server.dataset(clip), "minutes": 10, "patch_size": 32}
    id = server.create("/models", training)
    server.wait(id, "running")
    server.suspend(id)  # Each stream sends all events so far, and so the more of them, the later.
    with ExitStack() as streams:
        answers = [streams.enter_context(opened(server, id)) for _ in range(MOST)]
        assert {response.status for response in answers} == {200}
        assert next(events(answers[-1]))["seq"] == 1  # It does not wait for more events.
        with opened(server, id) as refused:
            assert refused.status == 503
            assert "Too many event streams" in refused.read().decode()
    server.resume(id)
    server.call(f"/jobs/{id}/abort", {})
    server.wait_for_end(id)

    def is_free() -> bool:
        with opened(server, id) as response:
            return response.status == 200

    wait_until(is_free, "no stream became free")
