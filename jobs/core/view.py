"""The view of a job: its event log folded into the few fields that lists and pages show."""

import math
from collections.abc import Collection, Mapping
from typing import Any, cast

from jobs.core.events import FINAL_STATES
from jobs.core.types.events import JobEvent, LayerEvent, SampleEvent, SnapshotEvent, StateEvent
from jobs.core.types.fields import Leader
from jobs.core.types.load import Progress
from jobs.core.types.summaries import JobSummary, Losses, Passed, Snapshot, View

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


def fold(view: View, event: JobEvent) -> View:
    """The view after an event. An event that was folded in before changes nothing."""
    if event["seq"] <= view["seq"]:
        return view
    view = {**view, "seq": event["seq"]}
    match event["type"]:
        case "state":
            return _fold_state(view, event)
        case "progress":
            return {**view, "progress": cast(Progress, _fields(event))}
        case "scalars":
            return {**view, "losses": _with_loss(view["losses"], event["scalars"])}
        case "hardware":
            return {**view, "hardware": {"cpu": event["cpu"], "gpus": event["gpus"]}}
        case "snapshot":
            return {**view, "summary": _with_snapshot(view["summary"], event)}
        case "removed":
            return {**view, "summary": _without_snapshots(view["summary"], set(event["snapshots"]))}
        case "resumed":
            return {**view, "summary": _resumed(view["summary"], event["step"])}
        case "sample" | "layer":
            return {**view, "summary": _with_pictures(view["summary"], event)}
        case "facts":
            return {**view, "summary": _joined(view["summary"], _fields(event))}
    return view


def _fold_state(view: View, event: StateEvent) -> View:
    state, reason = event["state"], event.get("reason", "")
    passed: Passed = {"state": state, "time": event["time"], "reason": reason}
    history = [*view["history"], passed][-MAX_HISTORY:]
    view = {**view, "state": state, "reason": reason, "history": history}
    if state == "running":
        view["started"], view["finished"], view["gpus"] = event["time"], None, event.get("gpus")
        # A restarted job sends its pictures again, and its final numbers at the end.
        pictures = ("samples", "layers", "layers_of", "input", "output", "target")
        outdated = (*pictures, "test", "seconds", "patches_per_second", "multiply_adds_per_second")
        view["summary"] = without(view["summary"], outdated)
    if state in FINAL_STATES:
        view["finished"] = event["time"]
    return {**view, "summary": _joined(view["summary"], event.get("summary", {}))}


def _joined(summary: JobSummary, fields: Mapping[str, Any]) -> JobSummary:
    """The summary with the fields of an event, which the type of the event names."""
    return cast(JobSummary, {**summary, **fields})


def without(summary: JobSummary, keys: Collection[str]) -> JobSummary:
    """The summary without some of its parts."""
    return cast(JobSummary, {key: value for key, value in summary.items() if key not in keys})


def _with_loss(losses: Losses, scalars: dict[str, float | None]) -> Losses:
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


def _fields(event: JobEvent) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("seq", "time", "type")}


def _with_pictures(summary: JobSummary, event: SampleEvent | LayerEvent) -> JobSummary:
    """The summary with a sample or a layer.

    The sample of a test of one image goes into the summary itself. Other samples and layers go into
    a list, where an entry replaces an older entry of the same index. A new validation removes the
    pinned samples of the last one, and logs those that are still pinned before all others.
    """
    entry = _fields(event)
    if event["type"] == "sample" and "output" in entry and "index" not in entry:
        return _joined(summary, entry)
    name = "layers" if event["type"] == "layer" else "samples"
    entries: list[dict[str, Any]] = [
        other
        for other in cast(dict[str, Any], summary).get(name, [])
        if ("index" not in other or other["index"] != entry.get("index"))
        and not _is_unpinned(other, entry)
    ]
    entries = sorted([*entries, entry], key=lambda entry: entry.get("index", 0))
    return _joined(summary, {name: entries})


def _is_unpinned(earlier: dict[str, Any], fresh: dict[str, Any]) -> bool:
    """Whether a pinned sample is of an earlier validation: it may not be pinned any more."""
    return bool(earlier.get("pinned")) and earlier["step"] != fresh["step"]


def _with_snapshot(summary: JobSummary, event: SnapshotEvent) -> JobSummary:
    fields = {key: event[key] for key in ("epoch", "step", "size")}
    snapshot = cast(Snapshot, {"snapshot": event["name"], **fields, **event["scalars"]})
    gone = {snapshot["snapshot"], *event.get("removed", [])}
    others = [other for other in summary.get("snapshots", []) if other["snapshot"] not in gone]
    # In the order of writing: after a resume from an earlier snapshot, the last snapshot is not the
    # one of the largest step.
    snapshots = [*others, snapshot]
    best = best_of(snapshots, leader_of(summary))
    return {**summary, "snapshots": snapshots, "best": best, "last": snapshots[-1]}


def _without_snapshots(summary: JobSummary, gone: set[str]) -> JobSummary:
    rest = without(summary, ("snapshots", "best", "last"))
    left = [other for other in summary.get("snapshots", []) if other["snapshot"] not in gone]
    if not left:
        return rest
    best = best_of(left, leader_of(summary))
    return {**rest, "snapshots": left, "best": best, "last": left[-1]}


def _resumed(summary: JobSummary, step: int) -> JobSummary:
    """The summary after a resume: its snapshot becomes `last`, even if later steps have some."""
    ordered = sorted(
        summary.get("snapshots", []), key=lambda snapshot: bool(snapshot["step"] == step)
    )
    return {**summary, "snapshots": ordered, "last": ordered[-1]} if ordered else summary


def leader_of(summary: JobSummary) -> Leader:
    """What makes a snapshot of a training the best one: the `leader` of its spec."""
    return summary.get("leader", "loss")


def best_of(snapshots: list[Snapshot], leader: Leader = "loss") -> Snapshot:
    """The best snapshot, or the last if none was validated.

    The best one has the lowest validation loss or the highest PSNR; of equal PSNRs, the lowest
    loss. A snapshot that is written when the job is stopped was not validated.
    """

    def rank(snapshot: Snapshot) -> tuple[float, float]:
        loss, psnr = snapshot.get("val/l1"), snapshot.get("val/psnr")
        lost = math.inf if loss is None else loss
        missing = math.inf if psnr is None else -psnr
        return (missing, lost) if leader == "psnr" else (lost, 0)

    validated = [snapshot for snapshot in snapshots if snapshot.get("val/l1") is not None]
    return min(validated, key=rank, default=snapshots[-1])


def gain_of(snapshot: Snapshot | None) -> float | None:
    """The gain over the input in a snapshot's validation, in dB; None if unknown."""
    if not snapshot:
        return None
    after, before = snapshot.get("val/psnr"), snapshot.get("val/psnr_input")
    return None if after is None or before is None else after - before
