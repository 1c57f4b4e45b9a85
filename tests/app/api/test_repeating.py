"""Tests that jobs are made again from their own specs and records, as the API answers them."""

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
