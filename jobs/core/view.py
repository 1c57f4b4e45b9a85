"""What a job's event log says, folded into the few fields that lists and pages show."""

from typing import Any

from jobs.core.events import FINAL_STATES, Event

View = dict[str, Any]

MOST_HISTORY = 50
"""States that are kept of a job that began again and again."""
MOST_LOSSES = 60
"""Points of the small curve that lists show; beyond them every other one goes."""


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
        "history": [],
        "losses": {"seen": 0, "every": 1, "values": []},
        "hardware": None,
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
            return {**view, "summary": _with_shown(view["summary"], event)}
        case "facts":
            return {**view, "summary": {**view["summary"], **_told(event)}}
    return view


def _fold_state(view: View, event: Event) -> View:
    state = event["state"]
    view = {**view, "state": state, "reason": event.get("reason", "")}
    passed = {"state": state, "time": event["time"], "reason": view["reason"]}
    view["history"] = [*view["history"], passed][-MOST_HISTORY:]
    if state == "running":
        view["started"], view["finished"], view["gpus"] = event["time"], None, event.get("gpus")
        # A job that starts again shows its pictures again, and says anew what is known at its end.
        shown = ("samples", "layers", "layers_of", "input", "output", "target")
        again = (*shown, "test", "seconds", "patches_per_second", "multiply_adds_per_second")
        view["summary"] = {key: value for key, value in view["summary"].items() if key not in again}
    if state in FINAL_STATES:
        view["finished"] = event["time"]
    return {**view, "summary": {**view["summary"], **event.get("summary", {})}}


def _with_loss(losses: dict[str, Any], scalars: dict[str, Any]) -> dict[str, Any]:
    """The training loss, thinned; static/js/charts/sparkline.js goes on with it in the same way."""
    value = next((value for key, value in scalars.items() if key.startswith("train/")), None)
    if value is None:
        return losses
    seen, every, values = losses["seen"] + 1, losses["every"], losses["values"]
    if seen % every == 0:
        values = [*values, value]
    if len(values) > MOST_LOSSES:
        every, values = 2 * every, values[1::2]
    return {"seen": seen, "every": every, "values": values}


def _told(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("seq", "time", "type")}


def _with_shown(summary: dict[str, Any], event: Event) -> dict[str, Any]:
    """The pictures of a test's one image; or a list of samples or layers, of which a newer one of the same index replaces
    the older."""
    shown = _told(event)
    if event["type"] == "sample" and "output" in shown and "index" not in shown:
        return {**summary, **shown}
    name = event["type"] + "s"
    others = [
        one
        for one in summary.get(name, [])
        if "index" not in one or one["index"] != shown.get("index")
    ]
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
    rest = {
        key: value for key, value in summary.items() if key not in ("snapshots", "best", "last")
    }
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


def gain_of(snapshot: dict[str, Any] | None) -> float | None:
    """dB over the input of a snapshot's validation, None where that is not known."""
    if not snapshot or snapshot.get("val/psnr") is None:
        return None
    return float(snapshot["val/psnr"] - snapshot["val/psnr_input"])
