"""The curves of a job, out of its event log."""

from collections.abc import Iterable
from typing import Any

from jobs.events import Event

TYPES = frozenset({"scalars", "resumed"})
Series = dict[str, list[Any]]


def series(events: Iterable[Event], keys: frozenset[str] | None, max_points: int) -> dict[str, Series]:
    """Each scalar as {"step", "epoch", "time", "value"}, by step, with at most `max_points` points.

    `events` are of the TYPES. Points after the step that a job was resumed from are those of the resumed run alone. Of a
    longer series, the smallest and the largest point of each bucket stay.
    """
    points: dict[str, dict[int, tuple[int, float, float, float]]] = {}
    for event in events:
        if event["type"] == "resumed":
            points = {key: {step: point for step, point in old.items() if step <= event["step"]} for key, old in points.items()}
            continue
        for key, value in event["scalars"].items():
            if value is not None and (keys is None or key in keys):
                points.setdefault(key, {})[event["step"]] = (event["step"], event["epoch"], event["time"], value)
    return {key: _columns(thin(sorted(found.values()), max_points)) for key, found in points.items()}


def thin(points: list[tuple[int, float, float, float]], most: int) -> list[tuple[int, float, float, float]]:
    """At most `most` points, extremes kept."""
    if len(points) <= most:
        return points
    buckets = max(most // 2, 1)
    kept = []
    for bucket in range(buckets):
        part = points[bucket * len(points) // buckets : (bucket + 1) * len(points) // buckets]
        kept += sorted({min(part, key=lambda point: point[3]), max(part, key=lambda point: point[3])})
    return kept[:most]


def _columns(points: list[tuple[int, float, float, float]]) -> Series:
    columns = zip(*points, strict=True)
    return dict(zip(("step", "epoch", "time", "value"), map(list, columns), strict=True))
