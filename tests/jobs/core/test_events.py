"""The event log, and the view that is folded from it."""

from pathlib import Path
from typing import Any, get_args, get_overloads

from typing_extensions import get_type_hints

from jobs.core.events import EventLog, Log, last_state, read, read_from
from jobs.core.types.events import JobEvent, Logged
from jobs.core.view import empty, fold


def test_sequence_numbers_continue_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with EventLog(path, clock=lambda: 5.0) as log:
            log.append("message", level="info", text="a")
            log.append("message", level="info", text="b")
    assert [event["seq"] for event in read(path)] == [1, 2, 3, 4]
    assert {event["time"] for event in read(path)} == {5.0}


def test_each_type_of_event_is_appended_with_its_own_fields() -> None:
    """mypy checks what is appended by the overloads of Log.append."""
    checked = []
    for overload in get_overloads(Log.append):
        hints = get_type_hints(overload)
        (fields,) = get_args(hints["fields"])
        checked.append((*get_args(hints["type"]), get_type_hints(fields)))
    events = []
    for kind in get_args(JobEvent):
        hints = get_type_hints(kind)
        (name,) = get_args(hints.pop("type"))
        events.append(
            (name, {key: hints[key] for key in hints if key not in Logged.__annotations__})
        )
    assert checked == events


def test_readers_ignore_an_incomplete_line_and_the_next_writer_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.append("state", state="running", reason="")
    with path.open("ab") as file:
        file.write(b'{"seq":2,"ti')
    assert len(read_from(path, 0)[0]) == 1
    with EventLog(path) as log:
        log.append("state", state="done", reason="")
    assert [(event["seq"], event["state"]) for event in read(path)] == [(1, "running"), (2, "done")]
    state = last_state(path)
    assert state is not None
    assert state["state"] == "done"


def test_reading_continues_at_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_from(path, 0) == ([], 0)
    with EventLog(path) as log:
        log.append("message", level="info", text="a")
        _, offset = read_from(path, 0)
        log.append("message", level="info", text="b")
    assert [event["text"] for event in read_from(path, offset)[0]] == ["b"]


def test_a_repeated_event_is_folded_once() -> None:
    event: Any = {"seq": 1, "time": 0.0, "type": "layer", "index": 1, "name": "conv1"}
    assert len(fold(fold(empty(), event), event)["summary"]["layers"]) == 1


def test_the_best_snapshot_has_the_lowest_validation_loss() -> None:
    view = empty()
    for number, loss in enumerate([0.3, 0.1, 0.2], 1):
        scalars = {"val/l1": loss, "val/psnr": 30.0, "val/psnr_input": 29.0}
        event: Any = {
            "seq": number,
            "time": 0.0,
            "type": "snapshot",
            "name": f"epoch-{number:04d}",
            "epoch": number,
        }
        event |= {"step": 1, "size": 1, "scalars": scalars}
        view = fold(view, event)
    assert view["summary"]["best"]["snapshot"] == "epoch-0002"
    assert view["summary"]["last"]["snapshot"] == "epoch-0003"


def test_a_restarted_job_has_no_finish_time() -> None:
    view = empty()
    for number, state in enumerate(["waiting", "running", "error", "waiting", "running"], 1):
        view = fold(
            view,
            {
                "seq": number,
                "time": float(number),
                "type": "state",
                "state": state,
                "reason": "broken" if state == "error" else "",
            },
        )
    assert (view["state"], view["reason"], view["started"], view["finished"]) == (
        "running",
        "",
        5.0,
        None,
    )
