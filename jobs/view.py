"""What a job's event log says, folded into the few fields that lists and pages show."""

from typing import Any

from jobs.events import FINAL_STATES, Event

View = dict[str, Any]


def empty() -> View:
    """A job of which no event has been read."""
    return {"state": "waiting", "reason": "", "progress": None, "summary": {}, "seq": 0, "started": None, "finished": None}


def fold(view: View, event: Event) -> View:
    """The view after one more event; the same view for an event that was folded in before."""
    if event["seq"] <= view["seq"]:
        return view
    view = {**view, "seq": event["seq"]}
    match event["type"]:
        case "state":
            return _fold_state(view, event)
        case "progress":
            told = ("done", "total", "unit", "rate", "eta", "pairs")
            return {**view, "progress": {key: event[key] for key in told if key in event}}
        case "snapshot":
            return {**view, "summary": _with_snapshot(view["summary"], event)}
        case "sample":
            shown = {key: value for key, value in event.items() if key not in ("seq", "time", "type")}
            if "output" in shown:
                return {**view, "summary": {**view["summary"], **shown}}
            return {**view, "summary": {**view["summary"], "samples": [*view["summary"].get("samples", []), shown]}}
        case "layer":
            layer = {key: value for key, value in event.items() if key not in ("seq", "time", "type")}
            return {**view, "summary": {**view["summary"], "layers": [*view["summary"].get("layers", []), layer]}}
    return view


def _fold_state(view: View, event: Event) -> View:
    state = event["state"]
    view = {**view, "state": state, "reason": event.get("reason", "")}
    if state == "running":
        view["started"], view["finished"] = event["time"], None
        # A job that starts again shows its pictures again.
        view["summary"] = {key: value for key, value in view["summary"].items() if key not in ("samples", "layers")}
    if state in FINAL_STATES:
        view["finished"] = event["time"]
    return {**view, "summary": {**view["summary"], **event.get("summary", {})}}


def _with_snapshot(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    snapshot = {
        "snapshot": event["name"],
        "epoch": event["epoch"],
        "step": event["step"],
        "size": event["size"],
        **event["scalars"],
    }
    others = [known for known in summary.get("snapshots", []) if known["snapshot"] != snapshot["snapshot"]]
    snapshots = sorted([*others, snapshot], key=lambda known: known["epoch"])
    best = min(snapshots, key=lambda known: known["val/l1"])
    return {**summary, "snapshots": snapshots, "best": best, "last": snapshots[-1]}
