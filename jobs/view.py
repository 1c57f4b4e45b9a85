"""What a job's event log says, folded into the few fields that lists and pages show."""

from typing import Any

from jobs.events import FINAL_STATES, Event

View = dict[str, Any]


def empty() -> View:
    """A job of which no event has been read."""
    return {
        "state": "waiting",
        "reason": "",
        "progress": None,
        "summary": {},
        "seq": 0,
        "started": None,
        "finished": None,
        "gpus": None,
    }


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
        case "removed":
            return {**view, "summary": _without_snapshots(view["summary"], set(event["snapshots"]))}
        case "resumed":
            return {**view, "summary": _resumed(view["summary"], event["step"])}
        case "sample" | "layer":
            return {**view, "summary": _with_shown(view["summary"], event)}
        case "facts":
            return {**view, "summary": {**view["summary"], **_told(event)}}
    return view


def _fold_state(view: View, event: Event) -> View:
    state = event["state"]
    view = {**view, "state": state, "reason": event.get("reason", "")}
    if state == "running":
        view["started"], view["finished"], view["gpus"] = event["time"], None, event.get("gpus")
        # A job that starts again shows its pictures again, and says anew what is known at its end.
        again = ("samples", "layers", "test", "seconds", "patches_per_second", "multiply_adds_per_second")
        view["summary"] = {key: value for key, value in view["summary"].items() if key not in again}
    if state in FINAL_STATES:
        view["finished"] = event["time"]
    return {**view, "summary": {**view["summary"], **event.get("summary", {})}}


def _told(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("seq", "time", "type")}


def _with_shown(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    """The pictures of a test's one image; or a list of samples or layers, of which a newer one of the same index replaces
    the older."""
    shown = _told(event)
    if event["type"] == "sample" and "output" in shown and "index" not in shown:
        return {**summary, **shown}
    name = event["type"] + "s"
    others = [one for one in summary.get(name, []) if "index" not in one or one["index"] != shown.get("index")]
    return {**summary, name: sorted([*others, shown], key=lambda one: one.get("index", 0))}


def _with_snapshot(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    snapshot = {
        "snapshot": event["name"],
        "epoch": event["epoch"],
        "step": event["step"],
        "size": event["size"],
        **event["scalars"],
    }
    gone = {snapshot["snapshot"], *event.get("removed", [])}
    others = [known for known in summary.get("snapshots", []) if known["snapshot"] not in gone]
    # In the order in which they were written: after a resume from an earlier one, the last is not that of the largest step.
    snapshots = [*others, snapshot]
    return {**summary, "snapshots": snapshots, "best": best_of(snapshots), "last": snapshots[-1]}


def _without_snapshots(summary: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    rest = {key: value for key, value in summary.items() if key not in ("snapshots", "best", "last")}
    left = [known for known in summary.get("snapshots", []) if known["snapshot"] not in gone]
    return {**rest, "snapshots": left, "best": best_of(left), "last": left[-1]} if left else rest


def _resumed(summary: dict[str, Any], step: int) -> dict[str, Any]:
    """The snapshot that a run goes on from is the last one now, though later ones are there from before."""
    ordered = sorted(summary.get("snapshots", []), key=lambda known: bool(known["step"] == step))
    return {**summary, "snapshots": ordered, "last": ordered[-1]} if ordered else summary


def best_of(snapshots: list[dict[str, Any]]) -> dict[str, Any]:
    """The one with the lowest validation loss; those that were written when the job was stopped have none."""
    validated = [one for one in snapshots if one.get("val/l1") is not None]
    return min(validated, key=lambda one: one["val/l1"], default=snapshots[-1])
