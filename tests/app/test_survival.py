"""Crash tests for jobs and server.

The recorded state is correct, no finished work is lost, and no job runs twice.
"""

import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from app.catalog.catalog import Catalog
from app.catalog.database import connect
from app.runner.follower import Follower
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import EventLog, read
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.specs import DatasetSpec
from tests.support.server import Server
from tests.support.waiting import next_line, wait_until

Clip = tuple[Path, Path]

SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)
LONG = {"epochs": 10_000, "batch_size": 4, "patch_size": 16, "patches_per_frame": 1}


@pytest.fixture
def catalog(home: Path) -> Catalog:
    connect(f"sqlite:///{home / 'clearframe.db'}", home)
    return Catalog(home)


def follow(catalog: Catalog) -> None:
    """Follow the logs until the state is final.

    The rounds read the log, detect a lost worker, and read the final event that is written then.
    """
    follower = Follower(catalog, lambda job, events: None, lambda job: None)
    for _ in range(3):
        follower.follow()


def state(catalog: Catalog, id: str) -> tuple[str, str]:
    row = catalog.get(id)
    assert row is not None
    return row.state, row.view["reason"]


def write(folder: JobFolder, type: str, **fields: Any) -> None:
    with EventLog(folder.events) as log:
        cast(Any, log).append(type, **fields)


def stubborn_worker(folder: JobFolder) -> subprocess.Popen[str]:
    """Start a worker like the launcher does, but one that ignores SIGTERM.

    It has a child in its process group and a child in another group.
    """
    sleep = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('up', flush=True); time.sleep(600)"
    )
    code = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.ftruncate(int(sys.argv[1]), 0)
os.write(int(sys.argv[1]), str(os.getpid()).encode())
for options in ({{}}, {{"start_new_session": True}}):
    child = subprocess.Popen([sys.executable, "-c", {sleep!r}], stdout=subprocess.PIPE, **options)
    child.stdout.readline()
    print(child.pid, flush=True)
time.sleep(600)
"""
    lock = folder.lock()
    assert lock is not None
    environment = {**os.environ, launcher.JOB: str(folder.path)}
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)],
        env=environment,
        pass_fds=(lock,),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(lock)
    return worker


def children_of(worker: subprocess.Popen[str]) -> list[psutil.Process]:
    return [psutil.Process(int(next_line(worker, worker.stdout))) for _ in range(2)]


def wait_for_end(processes: list[psutil.Process]) -> None:
    wait_until(lambda: not any(map(lives, processes)), "a process still runs")


def lives(process: psutil.Process) -> bool:
    """False also for a process that has ended, but whose parent has not asked for its status."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# Workers.


def test_stopping_a_worker_that_ignores_sigterm_kills_all_its_processes(catalog: Catalog) -> None:
    folder = catalog.folder(catalog.create("dataset", SPEC))
    with stubborn_worker(folder) as worker:
        children = children_of(worker)
        started = time.monotonic()
        launcher.stop(folder, grace=0.5)
        assert 0.5 <= time.monotonic() - started < 60
        wait_for_end([*children, psutil.Process(worker.pid)])


def test_a_killed_worker_is_an_error_and_its_children_end(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    folder = catalog.folder(id)
    with stubborn_worker(folder) as worker:
        children = children_of(worker)
        write(folder, "state", state="running", reason="")
        follow(catalog)
        assert state(catalog, id)[0] == "running"
        worker.kill()
        worker.wait(60)
        follow(catalog)
        assert state(catalog, id)[0] == "error"
        wait_for_end(children)


def test_a_running_job_is_aborted_before_it_is_deleted(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = catalog.create("dataset", SPEC)
    folder = catalog.folder(id)
    monkeypatch.setattr(launcher.stop, "__defaults__", (0.2,))
    with stubborn_worker(folder) as worker:
        children = children_of(worker)
        catalog.delete(id)
        wait_for_end([*children, psutil.Process(worker.pid)])
    assert catalog.get(id) is None
    assert list((catalog.home / "jobs").iterdir()) == []


def test_a_process_that_reuses_a_pid_is_not_killed(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    folder = catalog.folder(id)
    write(folder, "state", state="running", reason="")
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as other:
        (folder.path / "worker.lock").write_text(str(other.pid))
        launcher.stop(folder)
        follow(catalog)
        is_alive = other.poll() is None
        other.kill()
    assert is_alive
    assert state(catalog, id)[0] == "error"


# Logs and folders.


def test_a_clock_that_jumps_back_changes_neither_order_nor_state(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    times = iter([2e9, 1e9, 1.5e9])
    with EventLog(catalog.folder(id).events, lambda: next(times)) as log:
        log.append("state", state="running", reason="")
        log.append("progress", done=1, total=1, unit="pairs", rate=1.0, eta=0.0)
        log.append("state", state="done", reason="", summary={"pairs": {"train": 1}})
    follow(catalog)
    assert state(catalog, id)[0] == "done"
    assert [event["seq"] for event in read(catalog.folder(id).events)] == [1, 2, 3, 4]
    row = catalog.get(id)
    assert row is not None
    assert [entry["state"] for entry in row.view["history"]] == ["waiting", "running", "done"]


def test_invalid_lines_of_a_log_are_skipped(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    with catalog.folder(id).events.open("ab") as log:
        log.write(b'{"seq": 2, "type": "message", "le\x00\x00\n[1, 2]\n')
    write(catalog.folder(id), "state", state="running", reason="")
    with catalog.folder(id).events.open("ab") as log:
        log.write(b'{"seq": 3, "type": "st')  # Unfinished, or never finished after a crash.
    follow(catalog)
    assert state(catalog, id)[0] == "error"
    assert [event["seq"] for event in read(catalog.folder(id).events)] == [1, 2, 3]


def test_events_are_read_after_damaged_lines_were_removed(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    path = catalog.folder(id).events
    sent: list[str] = []

    def send(job: str, events: list[JobEvent]) -> None:
        sent.extend(event["type"] for event in events)

    follower = Follower(catalog, send, lambda job: None)
    follower.follow()
    whole = path.read_bytes()
    path.write_bytes(whole + b"damaged by an editor, and longer than the events that follow\n" * 9)
    follower.follow()  # Reads beyond what the database knows.
    path.write_bytes(whole)
    follower.follow()
    write(catalog.folder(id), "message", level="info", text="read")
    follower.follow()
    assert sent == ["message"]


def test_a_job_whose_folder_was_removed_is_gone(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    shutil.rmtree(catalog.folder(id).path)
    gone: list[str] = []
    follower = Follower(catalog, lambda job, events: None, gone.append)
    follower._folders_synced -= 60
    follower.follow()
    assert (gone, catalog.get(id)) == ([id], None)


def test_a_folder_from_another_home_is_added_once_it_is_complete(
    catalog: Catalog, tmp_path: Path
) -> None:
    other = folders.create(tmp_path / "other", "dataset", SPEC)
    write(other, "state", state="running", reason="")
    copied = catalog.folder(other.id)
    shutil.copytree(other.path, copied.path)
    os.utime(copied.path / "job.json")
    catalog.sync_folders(at_start=False)
    assert catalog.get(other.id) is None
    for path in (*copied.path.iterdir(), copied.path):
        os.utime(path, (time.time() - 60,) * 2)
    catalog.sync_folders(at_start=False)
    follow(catalog)
    # Its worker ran in another home: none runs here.
    assert state(catalog, other.id)[0] == "error"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "job.json").write_text('{"id": "'),
        lambda path: (path / "job.json").write_text(
            '{"kind": "sculpture", "name": "x", "created": 1, "spec": {}}'
        ),
        lambda path: (path / "job.json").write_text("[]"),
        lambda path: (path / "events.jsonl").unlink(),
        lambda path: (path / "events.jsonl").write_bytes(b""),
        lambda path: (path / "job.json").unlink(),
    ],
)
def test_a_damaged_folder_is_reported_and_left_unchanged(
    damage: Callable[[Path], Any], catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    intact = folders.create(catalog.home, "dataset", SPEC)
    damaged = folders.create(catalog.home, "dataset", SPEC)
    damage(damaged.path)
    before = sorted((path.name, path.read_bytes()) for path in damaged.path.iterdir())
    with caplog.at_level(logging.WARNING):
        catalog.synchronize()
        catalog.sync_folders()
    assert catalog.get(damaged.id) is None
    assert catalog.get(intact.id) is not None
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == ((damaged.path / "job.json").exists())
    assert all(str(damaged.path) in text for text in warnings)
    assert sorted((path.name, path.read_bytes()) for path in damaged.path.iterdir()) == before


def test_the_next_server_completes_an_interrupted_delete(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = catalog.create("dataset", SPEC)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda path: None)
        catalog.delete(id)
    catalog.synchronize()
    assert list((catalog.home / "jobs").iterdir()) == []


def test_the_log_takes_precedence_over_an_outdated_database(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    write(catalog.folder(id), "state", state="done", reason="", summary={"pairs": {"train": 1}})
    follow(catalog)
    # Resumed, but the server was killed before it updated the database.
    write(catalog.folder(id), "state", state="waiting", reason="")
    catalog.synchronize()
    assert state(catalog, id)[0] == "waiting"


def test_a_log_restored_from_a_copy_is_read_again(catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    copy = catalog.folder(id).events.read_bytes()
    write(
        catalog.folder(id),
        "state",
        state="error",
        reason="A long sentence that the copy does not contain.",
    )
    follow(catalog)
    catalog.folder(id).events.write_bytes(copy)
    catalog.synchronize()
    assert state(catalog, id) == ("waiting", "")


# The server.


def test_a_locked_database_refuses_requests_but_jobs_continue(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    with sqlite3.connect(server.home / "clearframe.db") as other:
        other.execute("BEGIN IMMEDIATE")
        status, body = server.call(
            "/datasets", {"name": "x", "source": server.job(id)["spec"]["source"]}
        )
        assert (status, body["error"]["message"][:37]) == (
            503,
            "Another program has locked the server",
        )
        assert len(list((server.home / "jobs").glob("[!.]*"))) == 1
        other.rollback()
    server.wait(id, "done")


def test_a_server_that_is_killed_repeatedly_runs_each_job_once(server: Server, clip: Clip) -> None:
    ids = [server.dataset(clip) for _ in range(3)]
    for _ in range(4):
        server.kill()
        server.start()
    for id in ids:
        server.wait(id, "done")
        states = [
            event["state"] for event in server.call(f"/jobs/{id}/events?type=state")[1]["events"]
        ]
        assert states == ["waiting", "running", "done"]


def test_a_job_whose_worker_ended_before_it_began_is_started_once_more(
    server: Server, clip: Clip
) -> None:
    """As after a server that was killed between its request to the fork server and the answer."""
    server.kill()
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "d", "source": source})
    folder = folders.create(server.home, "dataset", spec)
    lock = folder.lock()
    assert lock is not None
    server.start()
    assert server.job(folder.id)["state"] == "waiting"
    os.close(lock)
    server.wait(folder.id, "done")


def test_an_aborted_training_is_deleted_with_its_worker(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    model = server.create("/models", {"name": "m", "dataset": dataset, **LONG})
    server.wait_for_events(model, "progress")
    worker = psutil.Process(int((server.home / "jobs" / model / "worker.lock").read_text()))
    assert server.call(f"/jobs/{model}", method="DELETE")[0] == 204
    wait_for_end([worker])
    assert server.call(f"/jobs/{model}")[0] == 404
    assert [path.name for path in (server.home / "jobs").iterdir()] == [dataset]


def test_a_waiting_job_can_be_moved_and_prioritised(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    running = server.create("/models", {"name": "m", "dataset": dataset, **LONG})
    server.wait_for(running, lambda job: job["state"] == "running")
    first, second = (
        server.create("/models", {"name": "m", "dataset": dataset, "steps": 1}) for _ in range(2)
    )
    assert server.call(f"/jobs/{second}/move", {"before": first})[0] == 202
    assert server.job(second)["queue"]["place"] < server.job(first)["queue"]["place"]
    assert server.call(f"/jobs/{first}", {"priority": 7}, "PATCH")[1]["queue"]["priority"] == 7
    assert server.call(f"/jobs/{first}", {"priority": 700}, "PATCH")[0] == 422
    assert server.call(f"/jobs/{running}", {"priority": 1}, "PATCH")[0] == 409
    assert server.call(f"/jobs/{first}/move", {"before": running})[0] == 409
    assert json.dumps(server.job(first)["history"]).count("waiting") == 1


def test_a_second_server_of_a_home_is_refused_and_the_first_continues(
    server: Server, free_port: int
) -> None:
    command = [sys.executable, "run_server.py", f"--home={server.home}", f"--port={free_port + 1}"]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert second.stderr == (
        f"Error: Another server uses the home {server.home}. "
        "Stop it, or choose another folder with --home.\n"
    )
    assert server.call("/healthz")[0] == 200


def test_after_a_power_failure_waiting_jobs_start_and_lost_ones_can_be_resumed(
    server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    running, waiting = (
        server.create("/models", {"name": name, "dataset": dataset, **LONG})
        for name in ("first", "second")
    )
    server.wait_for_events(running, "snapshot")
    server.kill()
    server._end_workers()
    server.start()
    job = server.wait_for(running, lambda job: job["state"] != "running")
    assert (job["state"], job["reason"][:39]) == (
        "error",
        "The worker exited unexpectedly. Its log",
    )
    server.wait_for(waiting, lambda job: job["state"] == "running")
    assert server.call(f"/jobs/{waiting}/abort", {})[0] == 202
    assert server.call(f"/jobs/{running}/resume", {})[0] == 202
    server.wait_for(running, lambda job: job["state"] == "running")
    assert server.wait_for_events(running, "resumed")[0]["step"] > 0


def test_websocket_messages_are_not_compressed(server: Server) -> None:
    request = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(request.encode())
        response = client.recv(4096).decode("latin-1")
    assert response.startswith("HTTP/1.1 101")
    assert "extensions" not in response.lower()
