"""What the machine does, told while a job runs."""

import time
from pathlib import Path

import pytest
import torch

from jobs.core.events import EventLog, read
from jobs.core.report import Report
from jobs.training import hardware
from jobs.training.hardware import Watch


def test_processor_and_memory_are_told_until_the_watch_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "INTERVAL", 0.2)
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        with Watch(Report(log), torch.device("cpu")):
            until = time.monotonic() + 0.7
            while time.monotonic() < until:
                torch.rand(100, 100).sum()
        told = list(read(path, types=frozenset({"hardware"})))
        time.sleep(0.4)
        assert len(list(read(path))) == len(told) >= 2
    last = told[-1]
    assert last["cpu"] > 20
    assert 0 < last["rss"] < last["memory_total"]
    assert last["gpus"] == []
