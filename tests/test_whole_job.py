"""End-to-end tests through the JSON API of a real server with real workers."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from jobs.core.events import FINAL_STATES, read
from jobs.core.folder import JobFolder
from tests.support.live import LiveClient
from tests.support.real import real_clip
from tests.support.server import Server
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]

SMALL = {"batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


def test_dataset_model_and_test_by_api(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    model = server.create("/models", {"name": "first", "dataset": dataset, "epochs": 3, **SMALL})
    assert server.wait(dataset, "done")["summary"]["pairs"] == {"train": 22, "val": 2}
    best = server.wait(model, "done")["summary"]["best"]
    assert {"snapshot", "epoch", "val/l1", "val/psnr", "val/psnr_input"} <= set(best)
    test = server.create(f"/models/{model}/tests", {"pair": 0})
    summary = server.wait(test, "done")["summary"]
    assert summary["snapshot"] == best["snapshot"]
    assert [layer["name"] for layer in summary["layers"]] == [
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "conv3",
        "sum",
    ]
    for url in (summary["output"], *(layer["picture"] for layer in summary["layers"])):
        with urllib.request.urlopen(server.url + url, timeout=120) as picture:
            assert picture.read(8) == b"\x89PNG\r\n\x1a\n"


def test_live_events_arrive_once_and_in_order(server: Server, clip: Clip) -> None:
    received: list[dict[str, Any]] = []
    with LiveClient(server.url) as client:
        dataset = server.dataset(clip)
        client.watch(dataset)
        while not received or received[-1].get("state") not in FINAL_STATES:
            received += client.receive()["events"]
    assert received[-1]["state"] == "done", received[-1]
    assert [event["seq"] for event in received] == list(range(1, len(received) + 1))


def test_training_survives_a_killed_server(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    model = server.create("/models", {"name": "long", "dataset": dataset, "epochs": 25, **SMALL})
    server.wait_for(model, lambda job: bool(job["summary"].get("best")))
    server.kill()
    steps_at_kill = _steps(server, model)
    server.start()
    assert server.wait(model, "done")["summary"]["last"]["epoch"] == 25
    _, response = server.call(f"/jobs/{model}/scalars?max_points=100000")
    logged = _steps(server, model)
    assert len(logged) > len(steps_at_kill)
    assert (
        set(response["series"]["train/l1"]["step"]) | set(response["series"]["val/l1"]["step"])
        == logged
    ), "the chart has every point"
    assert len(response["series"]["val/l1"]["step"]) == 26
    seqs = [event["seq"] for event in read(JobFolder(server.home / "jobs" / model).events)]
    assert seqs == list(range(1, len(seqs) + 1))


def _steps(server: Server, model: str) -> set[int]:
    events = read(JobFolder(server.home / "jobs" / model).events, types=frozenset({"scalars"}))
    return {event["step"] for event in events}


def test_server_finds_jobs_that_ended_while_it_was_down(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "running", "done")
    server.kill()
    folder = JobFolder(server.home / "jobs" / dataset)
    wait_until(lambda: not folder.worker_lives(), "the worker still runs")
    server.start()
    assert server.wait(dataset, "done")["summary"]["pairs"]["train"] == 22


def test_abort_and_resume(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    model = server.create("/models", {"name": "aborted", "dataset": dataset, "epochs": 30, **SMALL})
    server.wait_for(model, lambda job: bool(job["summary"].get("best")))
    assert server.call(f"/jobs/{model}/abort", {})[0] == 202
    aborted = server.wait(model, "aborted")
    assert not JobFolder(server.home / "jobs" / model).worker_lives()
    epoch = aborted["summary"]["last"]["epoch"]
    assert epoch < 30
    server.call(f"/jobs/{model}/resume", {})
    server.wait(model, "done")
    assert server.job(model)["summary"]["last"]["epoch"] == 30


@pytest.mark.parametrize("clip_name", ["carphone_pristine.mp4"])
def test_training_improves_a_real_clip(
    clip_name: str, server: Server, media: Path, tmp_path: Path
) -> None:
    dataset = server.dataset(real_clip(media / "clips" / clip_name, tmp_path / "real", frames=48))
    model = server.create("/models", {"name": "real", "dataset": dataset, "epochs": 8})
    best = server.wait(model, "done", seconds=300)["summary"]["best"]
    assert best["val/psnr"] > best["val/psnr_input"]
