"""Tests of warm workers: they keep torch and the model loaded, and no job is lost when one dies."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from PIL import Image

from app.runner.warm import WarmWorkers, _Job, _Worker
from jobs.core.folder import JobFolder
from jobs.core.processes import Process
from tests.support.held import hold_at_work
from tests.support.server import Server, free_port
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]

SMALL = {"epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("warm")
    with Server(folder / "home", [clip[0].parent, folder], free_port()) as running:
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
    """The pid of the process that ran a test, from the lock file."""
    return int((folder_of(server, test).path / "worker.lock").read_text())


def run_test(server: Server, model: str, **fields: Any) -> tuple[dict[str, Any], int]:
    """Run a test; return the finished job and the pid of its worker."""
    id = server.create(f"/models/{model}/tests", {"pair": 0, "layers": False, **fields})
    return server.wait(id, "done"), worker_of(server, id)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def run_test_by(worker: int, server: Server, model: str) -> dict[str, Any]:
    """Run a test by an idle worker. It may be busy for a moment after the end of its last test."""
    for _ in range(3):
        job, used = run_test(server, model)
        if used == worker:
            return job
    raise AssertionError(f"no test was run by worker {worker}")


def test_each_model_has_its_own_worker(server: Server, models: list[str]) -> None:
    first, worker = run_test(server, models[0])
    again = run_test_by(worker, server, models[0])
    _, other = run_test(server, models[1])
    assert (other == worker, lives(worker)) == (False, True)
    assert first["summary"]["psnr_output"] == again["summary"]["psnr_output"]
    assert first["summary"]["snapshot"] == "epoch-0001"


def test_a_worker_survives_an_invalid_image(
    server: Server, models: list[str], tmp_path: Path
) -> None:
    _, worker = run_test(server, models[0])
    broken = server.home.parent / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    id = server.create(f"/models/{models[0]}/tests", {"image": str(broken)})
    job = server.wait_for(id, lambda job: job["state"] in ("done", "error"))
    assert job["state"] == "error"
    assert "broken.png" in job["reason"]
    run_test_by(worker, server, models[0])


def test_a_worker_that_dies_before_it_begins_is_replaced(server: Server, models: list[str]) -> None:
    _, worker = run_test(server, models[0])
    os.kill(worker, signal.SIGSTOP)  # It handles no messages from here on.
    id = server.create(f"/models/{models[0]}/tests", {"pair": 1, "layers": False})
    wait_until(lambda: folder_of(server, id).worker_lives(), "the test has no worker")
    os.kill(worker, signal.SIGKILL)
    server.wait(id, "done")
    assert worker_of(server, id) != worker
    states = [event["state"] for event in server.call(f"/jobs/{id}/events?type=state")[1]["events"]]
    assert states == ["waiting", "running", "done"]


def test_a_worker_that_dies_at_work_fails_the_test_which_can_be_resumed(
    server: Server, models: list[str]
) -> None:
    run_test(server, models[0])
    image = server.home.parent / "image.png"
    Image.new("RGB", (32, 32), "gray").save(image)
    id, worker = hold_at_work(
        server,
        image,
        lambda: server.create(f"/models/{models[0]}/tests", {"image": str(image)}),
    )
    os.kill(worker, signal.SIGKILL)
    server.wait(id, "error")
    assert "The worker exited unexpectedly." in server.job(id)["reason"]
    image.unlink()
    Image.new("RGB", (32, 32), "gray").save(image)
    assert server.call(f"/jobs/{id}/resume", method="POST")[0] == 202
    server.wait_for(id, lambda job: job["state"] == "done")
    assert worker_of(server, id) != worker


def test_a_test_can_be_aborted_and_the_next_test_runs(server: Server, models: list[str]) -> None:
    _, worker = run_test(server, models[0])
    os.kill(worker, signal.SIGSTOP)
    large = server.home.parent / "slow.png"  # A small image would be done before the abort.
    Image.new("RGB", (1600, 1200), "gray").save(large)
    id = server.create(f"/models/{models[0]}/tests", {"image": str(large)})
    wait_until(lambda: folder_of(server, id).worker_lives(), "the test has no worker")
    assert server.call(f"/jobs/{id}/abort", method="POST")[0] == 202
    os.kill(worker, signal.SIGCONT)
    server.wait(id, "aborted")
    run_test(server, models[0])


def test_a_test_outlives_its_server_and_its_worker_ends_after_it(
    server: Server, models: list[str]
) -> None:
    first, worker = run_test(server, models[0])
    # The worker is idle: it has released the lock, and waits for the server.
    wait_until(
        lambda: not folder_of(server, first["id"]).worker_lives(), "the first test keeps its worker"
    )
    wait_until(
        lambda: psutil.Process(worker).status() == psutil.STATUS_SLEEPING, "the worker is not idle"
    )
    os.kill(worker, signal.SIGSTOP)
    id = server.create(f"/models/{models[0]}/tests", {"pair": 1, "layers": False})
    wait_until(lambda: folder_of(server, id).worker_lives(), "the test has no worker")
    server.kill()
    server.start()
    assert server.job(id)["state"] == "waiting"
    os.kill(worker, signal.SIGCONT)
    server.wait(id, "done")
    assert worker_of(server, id) == worker
    wait_until(lambda: not lives(worker), "the worker lives")


def test_an_idle_worker_ends(python: Callable[[str], str]) -> None:
    code = """
from gevent import monkey
monkey.patch_all()
import gevent
import app.runner.warm
warm = app.runner.warm.WarmWorkers(print, lambda: None)
worker = warm._worker("a")
assert warm._worker("a") is worker
warm.dismiss_idle()
assert warm._workers == [worker]
app.runner.warm.IDLE_SECONDS = 0.0
gevent.sleep(0.01)
warm.dismiss_idle()
assert warm.gpus() == {""}
with gevent.Timeout(60):
    while warm.gpus():
        gevent.sleep(0.01)
print(warm._workers, worker.process.wait(timeout=60))
"""
    assert python(code) == "[] 0\n"


class Running:
    """A process of which only the pid matters."""

    pid = 1


def test_idle_workers_leave_a_gpu_and_busy_ones_stay() -> None:
    workers = WarmWorkers(lambda job: None, lambda: None)
    ends = [socket.socketpair() for _ in range(3)]
    idle, busy, elsewhere = (
        _Worker("model", gpu, server_end, cast(Process, Running()))
        for gpu, (server_end, _) in zip(("GPU-a", "GPU-a", "GPU-b"), ends, strict=True)
    )
    busy.jobs["test"] = _Job(JobFolder(Path("test")), None)
    workers._workers = [idle, busy, elsewhere]
    workers.dismiss_idle_on(["GPU-a"])
    assert workers._workers == [busy, elsewhere]
    assert ends[0][1].recv(1) == b"", "the worker still has its connection"
    # Until it has ended, its memory is not that of other programs.
    assert workers.gpus() == {"GPU-a", "GPU-b"}
    for pair in ends:
        for end in pair:
            end.close()
