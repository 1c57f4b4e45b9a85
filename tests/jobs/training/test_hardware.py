"""Tests of the hardware events during a job."""

import time
from pathlib import Path

import pytest
import torch

from jobs.core.events import EventLog, read
from jobs.core.report import Report
from jobs.training import hardware
from jobs.training.hardware import Watch


def test_cpu_and_memory_are_logged_until_the_watch_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "INTERVAL", 0.1)
    path = tmp_path / "events.jsonl"
    deadline = time.monotonic() + 60
    with EventLog(path) as log:
        with Watch(Report(log), torch.device("cpu")) as watch:
            while len(events := list(read(path))) < 2:
                assert time.monotonic() < deadline, "no second hardware event"
                torch.rand(500, 500).sum()
        assert not watch._thread.is_alive()
    last = events[-1]
    assert last["type"] == "hardware"
    assert max(event["cpu"] for event in events if event["type"] == "hardware") > 0
    assert 0 < last["rss"] < last["memory_total"]
    assert last["gpus"] == []
