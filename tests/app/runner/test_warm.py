"""Workers that stay: torch and the model are there for the next test, and nothing is lost when one dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from jobs.core.folder import JobFolder
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]

SMALL = {"epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("warm")
    with Server(place / "home", [clip[0].parent, place], free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def models(server: Server, clip: Clip) -> list[str]:
    dataset = server.dataset(clip)
    ids = [
        server.create("/models", {"name": name, "dataset": dataset, **SMALL})
        for name in ("first", "second")
    ]
    for id in ids:
        server.wait(id, "done")
    return ids


def folder_of(server: Server, test: str) -> JobFolder:
    return JobFolder(server.home / "jobs" / test)


def worker_of(server: Server, test: str) -> int:
    """The process that has done a test: its number stays in the lock's file."""
    return int((folder_of(server, test).path / "worker.lock").read_text())


def run_one(server: Server, model: str, **fields: Any) -> tuple[dict[str, Any], int]:
    """A test that is done, and the process that did it."""
    id = server.create(f"/models/{model}/tests", {"pair": 0, "layers": False, **fields})
    return server.wait(id, "done"), worker_of(server, id)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_one_process_does_the_tests_of_a_model_and_another_those_of_another(
    server: Server, models: list[str]
) -> None:
    first, worker = run_one(server, models[0])
    again, same = run_one(server, models[0])
    _, other = run_one(server, models[1])
    assert (same == worker, other == worker, lives(worker)) == (True, False, True)
    assert first["summary"]["psnr_output"] == again["summary"]["psnr_output"]
    assert first["summary"]["snapshot"] == "epoch-0001"


def test_pictures_that_are_refused_leave_the_worker_as_it_was(
    server: Server, models: list[str], tmp_path: Path
) -> None:
    _, worker = run_one(server, models[0])
    broken = server.home.parent / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    id = server.create(f"/models/{models[0]}/tests", {"image": str(broken)})
    deadline = time.monotonic() + 20
    while (job := server.job(id))["state"] not in ("done", "error"):
        assert time.monotonic() < deadline
    assert job["state"] == "error"
    assert "broken.png" in job["reason"]
    assert run_one(server, models[0])[1] == worker


def test_a_worker_that_ends_before_it_has_begun_is_replaced(
    server: Server, models: list[str]
) -> None:
    _, worker = run_one(server, models[0])
    os.kill(worker, signal.SIGSTOP)  # It answers nothing from here on.
    id = server.create(f"/models/{models[0]}/tests", {"pair": 1, "layers": False})
    until(lambda: folder_of(server, id).worker_lives())
    os.kill(worker, signal.SIGKILL)
    server.wait(id, "done")
    assert worker_of(server, id) != worker
    states = [event["state"] for event in server.call(f"/jobs/{id}/events?type=state")[1]["events"]]
    assert states == ["waiting", "running", "done"]


def test_a_worker_that_dies_at_work_is_told_of_and_the_test_can_be_tried_again(
    server: Server, models: list[str]
) -> None:
    large = server.home.parent / "large.png"
    Image.new("RGB", (1600, 1200), "gray").save(large)
    id = server.create(f"/models/{models[0]}/tests", {"image": str(large)})
    until(lambda: server.job(id)["state"] == "running")
    worker = worker_of(server, id)
    os.kill(worker, signal.SIGKILL)
    until(lambda: server.job(id)["state"] == "error")
    assert "The worker ended without saying how." in server.job(id)["reason"]
    Image.new("RGB", (32, 32), "gray").save(large)
    assert server.call(f"/jobs/{id}/resume", method="POST")[0] == 202
    server.wait_for(id, lambda job: job["state"] == "done")
    assert worker_of(server, id) != worker


def test_a_test_that_is_aborted_ends_and_the_next_one_works(
    server: Server, models: list[str]
) -> None:
    _, worker = run_one(server, models[0])
    os.kill(worker, signal.SIGSTOP)
    large = server.home.parent / "slow.png"  # A small one would be done before it hears of it.
    Image.new("RGB", (1600, 1200), "gray").save(large)
    id = server.create(f"/models/{models[0]}/tests", {"image": str(large)})
    until(lambda: folder_of(server, id).worker_lives())
    assert server.call(f"/jobs/{id}/abort", method="POST")[0] == 202
    os.kill(worker, signal.SIGCONT)
    until(lambda: server.job(id)["state"] == "aborted")
    run_one(server, models[0])


def test_a_test_outlives_its_server_and_the_worker_leaves_after_it(
    server: Server, models: list[str]
) -> None:
    _, worker = run_one(server, models[0])
    os.kill(worker, signal.SIGSTOP)
    id = server.create(f"/models/{models[0]}/tests", {"pair": 1, "layers": False})
    until(lambda: folder_of(server, id).worker_lives())
    server.kill()
    server.start()
    assert server.job(id)["state"] == "waiting"
    os.kill(worker, signal.SIGCONT)
    until(lambda: server.job(id)["state"] == "done")
    assert worker_of(server, id) == worker
    until(lambda: not lives(worker))


def test_a_worker_that_nobody_needs_leaves(python: Callable[[str], str]) -> None:
    code = """
from gevent import monkey
monkey.patch_all()
import app.runner.warm
warm = app.runner.warm.WarmWorkers(print, lambda: None)
worker = warm._worker("a")
assert warm._worker("a") is worker
warm.dismiss_idle()
assert warm._workers == [worker]
app.runner.warm.IDLE_SECONDS = 0.0
warm.dismiss_idle()
print(warm._workers, worker.process.wait(timeout=30))
"""
    assert python(code) == "[] 0\n"
