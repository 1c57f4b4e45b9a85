"""Tests that jobs are made again from their own specs and records, as the API answers them."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.app.api.test_answers import SMALL
from tests.conftest import Clip
from tests.support.server import Server, free_port

ADDRESSES = {"dataset": "/datasets", "model": "/models", "test": "/models/{model}/tests"}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Any:
    """A server with a dataset of a manifest, a training of a sweep and a test, by kind."""
    folder = tmp_path_factory.mktemp("repeating")
    manifest = clip[0].parent / "sequences.csv"
    manifest.write_text(f"stream,originals\n{clip[0]},{clip[1]}\n")
    with Server(folder / "home", [clip[0].parent], free_port()) as server:
        source = {"kind": "sequences", "manifest": str(manifest)}
        dataset = server.create("/datasets", {"name": "d", "source": source})
        sweep = {"name": "m", "dataset": dataset, **SMALL, "batch_size": "4, 8"}
        _, created = server.call("/models", sweep)
        model = created["ids"][0]
        server.wait(model, "done")
        test = server.create(f"/models/{model}/tests", {"pair": 0})
        yield server, {"dataset": dataset, "model": model, "test": test}


@pytest.mark.parametrize("kind", list(ADDRESSES))
def test_a_job_is_made_again_from_its_spec_and_its_record(kind: str, jobs: Any) -> None:
    server, ids = jobs
    job, path = server.job(ids[kind]), ADDRESSES[kind].format(**ids)
    record = server.call(f"/jobs/{ids[kind]}/record")[1]
    for body in (job["spec"], job, record):
        again = server.job(server.create(path, body))
        assert again["spec"] == job["spec"]
        assert again["id"] != job["id"]


def test_a_record_of_another_kind_or_model_is_refused(jobs: Any) -> None:
    server, ids = jobs
    record = server.call(f"/jobs/{ids['dataset']}/record")[1]
    status, answer = server.call("/models", record)
    assert (status, list(answer["error"]["fields"])) == (422, ["kind"])
    spec = {**server.job(ids["test"])["spec"], "model": ids["dataset"]}
    status, answer = server.call(f"/models/{ids['model']}/tests", spec)
    assert (status, list(answer["error"]["fields"])) == (422, ["model"])


def post(server: Server, path: str, body: Any, key: str) -> tuple[int, str | None, Any]:
    """Status, Idempotency-Replayed and JSON of the answer to a request with a key."""
    request = urllib.request.Request(
        f"{server.url}/api/v1{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": key},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.headers["Idempotency-Replayed"], json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Idempotency-Replayed"], json.load(error)


def test_a_request_with_a_key_creates_one_job_also_after_a_restart(jobs: Any) -> None:
    server, ids = jobs
    before = len(server.call("/jobs?kind=test")[1]["jobs"])
    path, body = f"/models/{ids['model']}/tests", {"pair": 1}
    status, replayed, first = post(server, path, body, "one")
    assert (status, replayed) == (201, None)
    assert post(server, path, body, "one") == (201, "true", first)
    server.restart()
    assert post(server, path, body, "one") == (201, "true", first)
    assert len(server.call("/jobs?kind=test")[1]["jobs"]) == before + 1
    for other_path, other in ((path, {"pair": 0}), (f"/jobs/{ids['model']}/abort", body)):
        status, _, answer = post(server, other_path, other, "one")
        assert (status, "Another request had this" in answer["error"]["message"]) == (422, True)
    assert post(server, path, body, "two")[2] != first
    assert post(server, path, body, "x" * 256)[0] == 400


def test_a_refused_request_can_be_sent_again_with_its_key(jobs: Any) -> None:
    server, ids = jobs
    path, body = f"/models/{ids['model']}/tests", {"pair": 99}
    answers = [post(server, path, body, "refused") for _ in range(2)]
    assert [(status, replayed) for status, replayed, _ in answers] == [(422, None)] * 2


def test_of_two_requests_at_a_time_with_a_key_one_is_carried_out(jobs: Any) -> None:
    server, ids = jobs
    before = len(server.call("/jobs?kind=dataset")[1]["jobs"])
    spec = server.job(ids["dataset"])["spec"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: post(server, "/datasets", as_sent(spec), "parallel"), range(8))
        )
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len({answer["id"] for status, _, answer in answers if status == 201}) == 1
    assert len(server.call("/jobs?kind=dataset")[1]["jobs"]) == before + 1


def as_sent(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without what the program adds to it."""
    source = {key: value for key, value in spec["source"].items() if key != "entries"}
    return {"name": spec["name"], "source": source}
