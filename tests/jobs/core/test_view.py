"""What a training's events become: the fields that lists and pages show."""

from typing import Any

from jobs.core.view import best_of, empty, fold


def folded(*events: dict[str, Any]) -> dict[str, Any]:
    view = empty()
    for seq, event in enumerate(events, 1):
        view = fold(view, {"seq": seq, "time": float(seq), **event})
    return view


def snapshot(name: str, step: int, l1: float | None, **more: Any) -> dict[str, Any]:
    scalars = {} if l1 is None else {"val/l1": l1}
    return {
        "type": "snapshot",
        "name": name,
        "step": step,
        "epoch": step / 10,
        "size": 1,
        "scalars": scalars,
        **more,
    }


def test_snapshots_that_went_are_gone_and_the_best_is_the_lowest_validation() -> None:
    view = folded(
        snapshot("epoch-0001", 10, 0.3),
        snapshot("epoch-0002", 20, 0.1, removed=[]),
        snapshot("epoch-0003", 30, 0.2, removed=["epoch-0001"]),
        snapshot("step-000034", 34, None),
    )
    summary = view["summary"]
    assert [one["snapshot"] for one in summary["snapshots"]] == [
        "epoch-0002",
        "epoch-0003",
        "step-000034",
    ]
    assert (summary["best"]["snapshot"], summary["last"]["snapshot"]) == (
        "epoch-0002",
        "step-000034",
    )


def test_the_best_of_snapshots_without_a_validation_is_the_last() -> None:
    assert (
        best_of([{"snapshot": "step-000004"}, {"snapshot": "step-000009"}])["snapshot"]
        == "step-000009"
    )


def test_facts_add_up_and_samples_and_layers_are_replaced_by_their_index() -> None:
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
    assert [(one["index"], one["output"]) for one in summary["samples"]] == [(0, "b"), (1, "c")]
    assert [one["step"] for one in summary["layers"]] == [5]


def test_a_run_that_goes_on_from_an_earlier_snapshot_has_that_as_its_last() -> None:
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


def test_a_snapshot_that_was_deleted_is_neither_best_nor_last() -> None:
    events = [snapshot("epoch-0001", 10, 0.3), snapshot("epoch-0002", 20, 0.1)]
    summary = folded(*events, {"type": "removed", "snapshots": ["epoch-0002"]})["summary"]
    assert [summary[key]["snapshot"] for key in ("best", "last")] == ["epoch-0001"] * 2
    assert (
        "best"
        not in folded(*events, {"type": "removed", "snapshots": ["epoch-0001", "epoch-0002"]})[
            "summary"
        ]
    )
