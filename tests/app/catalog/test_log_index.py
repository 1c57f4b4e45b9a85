"""Tests of the index of a log: it has the curves of the log, however often it was updated."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.catalog import log_index
from jobs.core.events import EventLog, read
from jobs.core.folder import JobFolder
from jobs.core.types.load import Gpu

Curve = list[tuple[float, float]]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path)


def point(log: EventLog, step: int, **scalars: float | None) -> None:
    named = {name.replace("_", "/", 1): value for name, value in scalars.items()}
    log.append("scalars", step=step, epoch=step / 10, scalars=named)


def curve(folder: JobFolder, key: str, most: int = 1000, **between: Any) -> Curve:
    series = log_index.series(folder, frozenset({key}), most, **between)[0].get(key)
    return list(zip(series["step"], series["value"], strict=True)) if series else []


def test_curves_match_the_log_however_often_it_was_indexed(folder: JobFolder) -> None:
    """Random trainings with resumes, repeated points and unknown values, indexed at random."""
    draw = random.Random(5)
    truth: dict[str, dict[int, float]] = {"train/l1": {}, "val/psnr": {}}
    with EventLog(folder.events) as log:
        step = 0
        for _ in range(2000):
            step += draw.randint(0, 3)
            key, value = draw.choice(list(truth)), draw.choice([None, draw.random()])
            point(log, step, **{key.replace("/", "_"): value})
            truth[key] = {at: old for at, old in truth[key].items() if at < step}
            if value is not None:
                truth[key][step] = value
            if draw.random() < 0.01:
                step = draw.randint(0, step)
                log.append("resumed", step=step)
                truth = {
                    key: {at: old for at, old in points.items() if at <= step}
                    for key, points in truth.items()
                }
            if draw.random() < 0.02:
                log_index.update(folder)
    for key, points in truth.items():
        assert curve(folder, key) == sorted(points.items())
    indexed = {key: curve(folder, key) for key in truth}
    for path in (folder.path / ".index").iterdir():
        path.unlink()
    assert {key: curve(folder, key) for key in truth} == indexed


def test_thinning_keeps_extremes_and_a_zoom_shows_every_point(folder: JobFolder) -> None:
    with EventLog(folder.events) as log:
        for step in range(10_000):
            point(log, step, train_l1=9.0 if step == 4321 else -9.0 if step == 77 else 1.0)
    kept = curve(folder, "train/l1", 200)
    assert len(kept) <= 200
    assert {(4321, 9.0), (77, -9.0)} <= set(kept)
    assert kept == sorted(kept)
    assert {kept[0][0], kept[-1][0]} == {0, 9_999}
    # With a neighbour on either side: the chart draws the line to it.
    assert curve(folder, "train/l1", 200, between=(4300, 4350)) == [
        (step, 9.0 if step == 4321 else 1.0) for step in range(4299, 4352)
    ]


def test_hardware_curves_have_the_step_of_the_last_progress(folder: JobFolder) -> None:
    with EventLog(folder.events) as log:
        point(log, 10, train_l1=0.1)
        for done in (12, 12, 18):
            log.append("progress", done=done, total=40, unit="steps", rate=1.0, eta=1.0)
            gpu: Gpu = {"utilisation": 97, "memory_used": 5 * 10**9}
            log.append(
                "hardware", cpu=150.0, cores=2, rss=10**9, memory_total=4 * 10**9, gpus=[gpu]
            )
    series, seq = log_index.series(folder, None, 100)
    assert seq == 7
    assert series["hardware/cpu"]["step"] == [12, 12, 18]
    assert series["hardware/cpu"]["epoch"] == [1.2, 1.2, 1.8]
    assert series["hardware/cpu"]["value"] == [75.0] * 3
    assert series["hardware/gpu0"]["value"] == [97.0] * 3


@pytest.mark.parametrize("broken", ["", "{", '{"version": 0, "offset": 1}'])
def test_a_damaged_or_old_index_is_rebuilt(folder: JobFolder, broken: str) -> None:
    with EventLog(folder.events) as log:
        point(log, 1, train_l1=0.5)
        point(log, 2, train_l1=0.4)
    assert curve(folder, "train/l1") == [(1, 0.5), (2, 0.4)]
    (folder.path / ".index" / "state.json").write_text(broken)
    assert curve(folder, "train/l1") == [(1, 0.5), (2, 0.4)]


def test_data_of_a_killed_server_that_its_state_does_not_count_is_overwritten(
    folder: JobFolder,
) -> None:
    with EventLog(folder.events) as log:
        point(log, 1, train_l1=0.5)
        log.append("message", level="info", text="a")
        log_index.update(folder)
        counted = (folder.path / ".index" / "state.json").read_text()
        point(log, 2, train_l1=0.4)
        log.append("message", level="info", text="b")
        log_index.update(folder)
        (folder.path / ".index" / "state.json").write_text(counted)
    assert curve(folder, "train/l1") == [(1, 0.5), (2, 0.4)]
    (messages,) = log_index.rare(folder, 0, frozenset({"message"}))
    assert [event["text"] for event in messages] == ["a", "b"]


def test_an_index_with_truncated_files_is_rebuilt(folder: JobFolder) -> None:
    with EventLog(folder.events) as log:
        for step in range(5):
            point(log, step, train_l1=0.5)
    complete = curve(folder, "train/l1")
    with (folder.path / ".index" / "0-3.f64").open("r+b") as column:
        column.truncate(8)
    assert curve(folder, "train/l1") == complete


def test_an_index_of_a_longer_log_is_rebuilt(folder: JobFolder) -> None:
    with EventLog(folder.events) as log:
        for step in range(5):
            point(log, step, train_l1=0.5)
    log_index.update(folder)
    folder.events.unlink()
    with EventLog(folder.events) as log:
        point(log, 1, train_l1=0.1)
    assert curve(folder, "train/l1") == [(1, 0.1)]


def test_rare_events_match_the_log(folder: JobFolder) -> None:
    with EventLog(folder.events) as log:
        for number in range(50):
            log.append("skipped", name=str(number), why="")
            point(log, number, train_l1=0.5)
            log.append("message", level="info", text="“ä”")
    for types in (frozenset({"skipped"}), frozenset({"skipped", "message"})):
        (events,) = log_index.rare(folder, 70, types)
        assert events == list(read(folder.events, 70, types))


def test_an_empty_log_has_no_curves(folder: JobFolder) -> None:
    assert log_index.series(folder, None, 10) == ({}, 0)


def test_events_after_a_sequence_number_are_found_in_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lengths = random.Random(3)
    with path.open("w") as file:
        for seq in range(1, 20_001):
            text = "x" * (100_000 if lengths.random() < 0.001 else lengths.randint(0, 200))
            file.write(
                json.dumps(
                    {"seq": seq, "time": 0.0, "type": "message", "text": text},
                    separators=(",", ":"),
                )
                + "\n"
            )
    for since in (0, 1, 777, 9_999, 19_998, 19_999, 20_000, 30_000):
        assert [event["seq"] for event in read(path, since)] == list(range(since + 1, 20_001))
    with EventLog(path) as log:
        assert log.append("message", level="info", text="")["seq"] == 20_001
