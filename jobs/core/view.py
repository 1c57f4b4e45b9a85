"""The view of a job: its event log folded into the few fields that lists and pages show."""

from typing import Any

from jobs.core.events import FINAL_STATES, Event

View = dict[str, Any]

MAX_HISTORY = 50
"""States that are kept of a job that is restarted many times."""
MAX_LOSSES = 60
"""Points of the small curve in lists. Beyond that number, every other point is dropped."""


def empty() -> View:
    """The view of a job before its first event."""
    return {
        "state": "waiting",
        "reason": "",
        "progress": None,
        "summary": {},
        "seq": 0,
        "started": None,
        "finished": None,
        "gpus": None,
        "history": [],
        "losses": {"seen": 0, "every": 1, "values": []},
        "hardware": None,
    }


def fold(view: View, event: Event) -> View:
    """The view after an event. An event that was folded in before changes nothing."""
    if event["seq"] <= view["seq"]:
        return view
    view = {**view, "seq": event["seq"]}
    match event["type"]:
        case "state":
            return _fold_state(view, event)
        case "progress":
            fields = ("done", "total", "unit", "rate", "eta", "pairs")
            return {**view, "progress": {key: event[key] for key in fields if key in event}}
        case "scalars":
            return {**view, "losses": _with_loss(view["losses"], event["scalars"])}
        case "hardware":
            return {**view, "hardware": {key: event[key] for key in ("cpu", "gpus")}}
        case "snapshot":
            return {**view, "summary": _with_snapshot(view["summary"], event)}
        case "removed":
            return {**view, "summary": _without_snapshots(view["summary"], set(event["snapshots"]))}
        case "resumed":
            return {**view, "summary": _resumed(view["summary"], event["step"])}
        case "sample" | "layer":
            return {**view, "summary": _with_pictures(view["summary"], event)}
        case "facts":
            return {**view, "summary": {**view["summary"], **_fields(event)}}
    return view


def _fold_state(view: View, event: Event) -> View:
    state = event["state"]
    view = {**view, "state": state, "reason": event.get("reason", "")}
    passed = {"state": state, "time": event["time"], "reason": view["reason"]}
    view["history"] = [*view["history"], passed][-MAX_HISTORY:]
    if state == "running":
        view["started"], view["finished"], view["gpus"] = event["time"], None, event.get("gpus")
        # A restarted job sends its pictures again, and its final numbers at the end.
        pictures = ("samples", "layers", "layers_of", "input", "output", "target")
        outdated = (*pictures, "test", "seconds", "patches_per_second", "multiply_adds_per_second")
        view["summary"] = {
            key: value for key, value in view["summary"].items() if key not in outdated
        }
    if state in FINAL_STATES:
        view["finished"] = event["time"]
    return {**view, "summary": {**view["summary"], **event.get("summary", {})}}


def _with_loss(losses: dict[str, Any], scalars: dict[str, Any]) -> dict[str, Any]:
    """The thinned training loss. static/js/charts/sparkline.js continues it in the same way."""
    value = next((value for key, value in scalars.items() if key.startswith("train/")), None)
    if value is None:
        return losses
    seen, every, values = losses["seen"] + 1, losses["every"], losses["values"]
    if seen % every == 0:
        values = [*values, value]
    if len(values) > MAX_LOSSES:
        every, values = 2 * every, values[1::2]
    return {"seen": seen, "every": every, "values": values}


def _fields(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("seq", "time", "type")}


def _with_pictures(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    """The summary with a sample or a layer.

    The sample of a test of one image goes into the summary itself. Other samples and layers go into
    a list, where an entry replaces an older entry of the same index.
    """
    entry = _fields(event)
    if event["type"] == "sample" and "output" in entry and "index" not in entry:
        return {**summary, **entry}
    name = event["type"] + "s"
    others = [
        other
        for other in summary.get(name, [])
        if "index" not in other or other["index"] != entry.get("index")
    ]
    entries = sorted([*others, entry], key=lambda entry: entry.get("index", 0))
    return {**summary, name: entries}


def _with_snapshot(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    snapshot = {
        "snapshot": event["name"],
        "epoch": event["epoch"],
        "step": event["step"],
        "size": event["size"],
        **event["scalars"],
    }
    gone = {snapshot["snapshot"], *event.get("removed", [])}
    others = [other for other in summary.get("snapshots", []) if other["snapshot"] not in gone]
    # In the order of writing: after a resume from an earlier snapshot, the last snapshot is not the
    # one of the largest step.
    snapshots = [*others, snapshot]
    return {**summary, "snapshots": snapshots, "best": best_of(snapshots), "last": snapshots[-1]}


def _without_snapshots(summary: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    rest = {
        key: value for key, value in summary.items() if key not in ("snapshots", "best", "last")
    }
    left = [other for other in summary.get("snapshots", []) if other["snapshot"] not in gone]
    return {**rest, "snapshots": left, "best": best_of(left), "last": left[-1]} if left else rest


def _resumed(summary: dict[str, Any], step: int) -> dict[str, Any]:
    """The summary after a resume: its snapshot becomes `last`, even if later steps have some."""
    ordered = sorted(
        summary.get("snapshots", []), key=lambda snapshot: bool(snapshot["step"] == step)
    )
    return {**summary, "snapshots": ordered, "last": ordered[-1]} if ordered else summary


def best_of(snapshots: list[dict[str, Any]]) -> dict[str, Any]:
    """The snapshot with the lowest validation loss, or the last if none has a validation loss.

    A snapshot that is written when the job is stopped has none.
    """
    validated = [snapshot for snapshot in snapshots if snapshot.get("val/l1") is not None]
    return min(validated, key=lambda snapshot: snapshot["val/l1"], default=snapshots[-1])


def gain_of(snapshot: dict[str, Any] | None) -> float | None:
    """The gain over the input in a snapshot's validation, in dB; None if unknown."""
    if not snapshot or snapshot.get("val/psnr") is None:
        return None
    return float(snapshot["val/psnr"] - snapshot["val/psnr_input"])
