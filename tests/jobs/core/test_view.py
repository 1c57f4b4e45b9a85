"""The view of a training: its events folded into the fields that lists and pages show."""

from typing import Any, cast

from jobs.core.types.events import JobEvent
from jobs.core.types.summaries import View
from jobs.core.view import best_of, empty, fold


def folded(*events: dict[str, Any]) -> View:
    view = empty()
    for seq, event in enumerate(events, 1):
        view = fold(view, cast(JobEvent, {"seq": seq, "time": float(seq), **event}))
    return view


def snapshot(name: str, step: int, l1: float | None, **fields: Any) -> dict[str, Any]:
    scalars = {} if l1 is None else {"val/l1": l1}
    return {
        "type": "snapshot",
        "name": name,
        "step": step,
        "epoch": step / 10,
        "size": 1,
        "scalars": scalars,
        **fields,
    }


def test_removed_snapshots_are_dropped_and_the_best_has_the_lowest_loss() -> None:
    view = folded(
        snapshot("epoch-0001", 10, 0.3),
        snapshot("epoch-0002", 20, 0.1, removed=[]),
        snapshot("epoch-0003", 30, 0.2, removed=["epoch-0001"]),
        snapshot("step-000034", 34, None),
    )
    summary = view["summary"]
    assert [snapshot["snapshot"] for snapshot in summary["snapshots"]] == [
        "epoch-0002",
        "epoch-0003",
        "step-000034",
    ]
    assert (summary["best"]["snapshot"], summary["last"]["snapshot"]) == (
        "epoch-0002",
        "step-000034",
    )


def test_the_snapshot_with_the_highest_psnr_leads_if_the_training_says_so() -> None:
    def scored(name: str, step: int, loss: float, psnr: float) -> dict[str, Any]:
        event = snapshot(name, step, loss)
        return {**event, "scalars": {**event["scalars"], "val/psnr": psnr}}

    snapshots = [
        scored("epoch-0001", 10, 0.2, 31.5),
        scored("epoch-0002", 20, 0.3, 32.0),
        scored("epoch-0003", 30, 0.25, 32.0),
        scored("epoch-0004", 40, 0.1, 31.0),
    ]
    summary = folded({"type": "facts", "leader": "psnr"}, *snapshots)["summary"]
    assert summary["best"]["snapshot"] == "epoch-0003"
    removed = {"type": "removed", "snapshots": ["epoch-0003"]}
    summary = folded({"type": "facts", "leader": "psnr"}, *snapshots, removed)["summary"]
    assert summary["best"]["snapshot"] == "epoch-0002"
    assert folded(*snapshots)["summary"]["best"]["snapshot"] == "epoch-0004"


def test_the_best_of_snapshots_without_a_validation_is_the_last() -> None:
    assert (
        best_of([{"snapshot": "step-000004"}, {"snapshot": "step-000009"}])["snapshot"]
        == "step-000009"
    )


def test_a_validation_without_a_pinned_sample_removes_it() -> None:
    pinned = {"type": "sample", "index": 100, "output": "p", "pinned": True}
    one = {"type": "sample", "index": 0, "output": "a", "pinned": False}
    shown = [{**pinned, "step": 5}, {**one, "step": 5}]
    assert [sample["index"] for sample in folded(*shown)["summary"]["samples"]] == [0, 100]
    later = [{**pinned, "index": 101, "step": 9}, {**one, "step": 9}]
    summary = folded(*shown, *later)["summary"]
    assert [sample["index"] for sample in summary["samples"]] == [0, 101]


def test_facts_are_merged_and_samples_and_layers_replaced_by_index() -> None:
    view = folded(
        {"type": "facts", "parameters": 3, "device": "CPU"},
        {"type": "facts", "dataset_hash": "abc"},
        {"type": "sample", "index": 1, "output": "a", "step": 0},
        {"type": "sample", "index": 0, "output": "b", "step": 0},
        {"type": "layer", "index": 1, "name": "conv", "step": 0},
        {"type": "sample", "index": 1, "output": "c", "step": 5},
        {"type": "layer", "index": 1, "name": "conv", "step": 5},
    )
    summary = view["summary"]
    assert (summary["parameters"], summary["device"], summary["dataset_hash"]) == (3, "CPU", "abc")
    assert [(sample["index"], sample["output"]) for sample in summary["samples"]] == [
        (0, "b"),
        (1, "c"),
    ]
    assert [layer["step"] for layer in summary["layers"]] == [5]


def test_the_last_snapshot_of_a_resumed_run_is_the_one_it_resumed_from() -> None:
    events = [
        snapshot("epoch-0001", 10, 0.3),
        snapshot("epoch-0002", 20, 0.1),
        {"type": "resumed", "step": 10},
    ]
    summary = folded(*events)["summary"]
    assert (summary["last"]["snapshot"], summary["best"]["snapshot"]) == (
        "epoch-0001",
        "epoch-0002",
    )
    summary = folded(*events, snapshot("step-000014", 14, None))["summary"]
    assert summary["last"]["snapshot"] == "step-000014"


def test_a_deleted_snapshot_is_neither_best_nor_last() -> None:
    events = [snapshot("epoch-0001", 10, 0.3), snapshot("epoch-0002", 20, 0.1)]
    summary = folded(*events, {"type": "removed", "snapshots": ["epoch-0002"]})["summary"]
    assert [summary[key]["snapshot"] for key in ("best", "last")] == ["epoch-0001"] * 2
    assert (
        "best"
        not in folded(*events, {"type": "removed", "snapshots": ["epoch-0001", "epoch-0002"]})[
            "summary"
        ]
    )
