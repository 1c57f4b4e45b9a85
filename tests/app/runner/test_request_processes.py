"""Tests of processes that requests wait for: limited memory, and ended with their client."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from gevent.lock import BoundedSemaphore
from PIL import Image

from app import client
from app.runner import request_processes
from jobs.core import processes
from tests.support.server import Server

SPEC = '{"name": "x"}'


def left() -> bool:
    return True


@pytest.mark.parametrize("slots", [0, 1])
def test_a_process_ends_when_its_client_has_gone(
    slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[processes.Process] = []
    start = processes.start

    def endless(module: str, arguments: Sequence[str], *more: Any) -> processes.Process:
        started.append(start("tests.support.forked", ["sleep"], *more))
        return started[-1]

    monkeypatch.setattr(processes, "start", endless)
    monkeypatch.setattr(processes, "CHECK_SECONDS", 0.0)
    free = BoundedSemaphore(1)
    if not slots:
        free.acquire()
    request = Flask("app").test_request_context(environ_overrides={client.HAS_LEFT: left})
    with request, pytest.raises(client.ClientHasLeft):
        request_processes.run(free, "jobs.datasets.probe", SPEC, 60)
    assert [process.poll() for process in started] == [-9] * slots
    assert free.locked() == (not slots)


def test_a_probe_is_limited_in_memory(home: Path, tmp_path: Path, free_port: int) -> None:
    for name in ("input", "target"):
        (tmp_path / name).mkdir()
        Image.new("L", (6000, 6000)).save(tmp_path / name / "a.png")
    server = Server(home, [tmp_path], free_port)
    server.options = ["--max-worker-gb=0.05"]
    source = {
        "kind": "folders",
        "input": str(tmp_path / "input"),
        "target": str(tmp_path / "target"),
    }
    with server:
        status, answer = server.call("/probe", {"source": source})
    assert status == 422
    assert "0.05 GiB" in answer["error"]["fields"]["source"]
