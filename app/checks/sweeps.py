"""Sweeps: several base learning rates and batch sizes, such as "0.001, 0.0003", make a training each, compared on one page."""

import copy
import secrets
from itertools import product
from math import prod
from typing import Any

from app.problems import Invalid
from jobs.specs.base import split_text

MOST = 50
SWEPT = {"solver.learning_rate": "rate", "batch_size": "batch"}
"""The fields that take several values, and what each is called in the name of a job."""


def expand(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of each training that is asked for: one, or as many as there are combinations. Raises Invalid."""
    listed = {field: _several(_get(values, field)) for field in SWEPT}
    swept = {field: found for field, found in listed.items() if len(found) > 1}
    single = {field: found[0] for field, found in listed.items() if len(found) == 1}
    if not swept:
        return [_with(values, single)]
    count = prod(map(len, swept.values()))
    if count > MOST:
        raise Invalid({next(iter(swept)): f"These are {count} trainings: at most {MOST} at once."})
    sweep = secrets.token_hex(8)
    ways = [dict(zip(swept, way, strict=True)) for way in product(*swept.values())]
    return [
        {**_with(values, {**single, **way}), **_name(values, way), "sweep": sweep} for way in ways
    ]


def _several(value: Any) -> list[Any]:
    """What was typed as a list, each number once; nothing of what can be no list of numbers."""
    parts = split_text(value)
    parts = parts if isinstance(parts, list) else [parts]
    if not all(isinstance(part, str | int | float) for part in parts):
        return []
    once: dict[Any, Any] = {}
    for part in parts:
        once.setdefault(_number(part), part)
    return list(once.values())


def _number(part: str | float) -> Any:
    """1e-3 and 0.001 are one rate; what is no number stays, to be told by the spec."""
    try:
        return float(part)
    except (ValueError, OverflowError):
        return part


def _with(values: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    one = copy.deepcopy(values)
    for field, value in chosen.items():
        *path, last = field.split(".")
        section = one
        for part in path:
            section = section[part]
        section[last] = value
    return one


def _name(values: dict[str, Any], way: dict[str, Any]) -> dict[str, str]:
    words = ", ".join(f"{SWEPT[field]} {value}" for field, value in way.items())
    name = str(values.get("name", ""))[:150]
    return {"name": f"{name} · {words}"} if name.strip() else {}


def _get(values: dict[str, Any], field: str) -> Any:
    found: Any = values
    for part in field.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
