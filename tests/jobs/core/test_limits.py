"""What a worker may ask of the machine: memory and time."""

from pathlib import Path

import pytest

from app.catalog.database import JobRow
from app.runner import follower
from jobs.core import limits
from tests.support.server import Server

Clip = tuple[Path, Path]

SMALL = {"epochs": 10_000, "batch_size": 4, "patch_size": 16, "patches_per_frame": 1}


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(clip)
    server.wait(id, "done")
    return id


def restarted(server: Server, *options: str) -> None:
    server.kill()
    server.options = list(options)
    server.start()


@pytest.mark.skipif(limits.NVIDIA.exists(), reason="what could use a GPU is not limited")
def test_a_worker_that_wants_more_memory_than_it_may_take_says_so(
    server: Server, dataset: str, clip: Clip
) -> None:
    restarted(server, "--max-worker-gb=1.5")
    greedy = {
        "epochs": 1,
        "batch_size": 512,
        "patch_size": 64,
        "patches_per_frame": 32,
        "name": "m",
        "dataset": dataset,
    }
    model = server.wait_for_end(
        server.create("/models", {**greedy, "network": {"maps1": 256, "maps2": 256}})
    )
    assert model["state"] == "error"
    assert "more memory than the 1.5 GiB" in model["reason"]
    # One that takes less is let alone.
    assert server.wait_for_end(server.dataset(clip))["state"] == "done"


def test_a_job_whose_time_is_up_ends_and_can_go_on(server: Server, dataset: str) -> None:
    restarted(server, "--max-hours=0.003")
    model = server.wait_for_end(
        server.create("/models", {**SMALL, "name": "m", "dataset": dataset})
    )
    assert model["state"] == "aborted"
    assert "longer than the 0.003 hours" in model["reason"]
    step = model["summary"]["last"]["step"]
    assert step > 0
    assert server.call(f"/jobs/{model['id']}/resume", {})[0] == 202
    server.wait_for(model["id"], lambda job: (job["progress"] or {"done": 0})["done"] > step)
    assert "longer than" in server.wait_for_end(model["id"])["reason"]


def test_one_that_does_not_look_at_the_clock_is_ended_a_minute_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLEARFRAME_MAX_HOURS", "0.5")
    row = JobRow(view={"started": 1_000.0})
    monkeypatch.setattr(
        "app.runner.follower.time.time", lambda: 1_000 + 1800 + follower.PATIENCE - 1
    )
    assert not follower._hangs(row)
    monkeypatch.setattr(
        "app.runner.follower.time.time", lambda: 1_000 + 1800 + follower.PATIENCE + 1
    )
    assert follower._hangs(row)
    monkeypatch.setenv("CLEARFRAME_MAX_HOURS", "0")
    assert not follower._hangs(row)
