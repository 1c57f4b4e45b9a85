"""The memory and time limits of workers."""

import time
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


def restart(server: Server, *options: str) -> None:
    server.kill()
    server.options = list(options)
    server.start()


@pytest.mark.skipif(limits.NVIDIA.exists(), reason="with a GPU, memory is not limited")
def test_a_worker_over_the_memory_limit_ends_with_a_reason(
    server: Server, dataset: str, clip: Clip
) -> None:
    restart(server, "--max-worker-gb=1.5")
    too_large = {
        "epochs": 1,
        "batch_size": 512,
        "patch_size": 64,
        "patches_per_frame": 32,
        "name": "m",
        "dataset": dataset,
    }
    model = server.wait_for_end(
        server.create("/models", {**too_large, "network": {"maps1": 256, "maps2": 256}})
    )
    assert model["state"] == "error"
    assert "more memory than the 1.5 GiB" in model["reason"]
    # A worker within the limit finishes.
    assert server.wait_for_end(server.dataset(clip))["state"] == "done"


@pytest.mark.parametrize(
    "line", ["MemoryError", "OSError: [Errno 12] Cannot allocate memory", "can't allocate memory"]
)
def test_a_process_is_over_a_limit_only_if_there_is_one(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_MAX_WORKER_GB", "0")
    assert not limits.is_over_memory_limit(line)
    monkeypatch.setenv("CLEARFRAME_MAX_WORKER_GB", "0.5")
    assert limits.is_over_memory_limit(line)
    assert not limits.is_over_memory_limit("ValueError: the file is empty")


def seconds_to_first_step(server: Server, dataset: str) -> float:
    """The time that this machine, as busy as it is, needs to start a training; at least 1.5 s."""
    began = time.monotonic()
    id = server.create("/models", {**SMALL, "name": "first", "dataset": dataset})
    server.wait_for(id, lambda job: (job["progress"] or {"done": 0})["done"] > 0)
    server.call(f"/jobs/{id}/abort", {})
    server.wait_for_end(id)
    return max(1.5, time.monotonic() - began)


def test_a_job_over_the_time_limit_ends_and_can_resume(server: Server, dataset: str) -> None:
    hours = round(4 * seconds_to_first_step(server, dataset) / 3600, 4)
    restart(server, f"--max-hours={hours}")
    model = server.wait_for_end(
        server.create("/models", {**SMALL, "name": "m", "dataset": dataset})
    )
    assert model["state"] == "aborted"
    assert f"longer than the {hours:g} hours" in model["reason"]
    step = model["summary"]["last"]["step"]
    assert step > 0
    assert server.call(f"/jobs/{model['id']}/resume", {})[0] == 202
    server.wait_for(model["id"], lambda job: (job["progress"] or {"done": 0})["done"] > step)
    assert "longer than" in server.wait_for_end(model["id"])["reason"]


def test_the_server_ends_a_worker_that_hangs_a_minute_after_the_time_limit(
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
