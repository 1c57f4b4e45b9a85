"""Sweeps: several base learning rates and batch sizes, such as "0.001, 0.0003", make a training each, compared on one page."""

import copy
import secrets
from itertools import product
from typing import Any

from app.problems import Invalid
from jobs.specs.base import split_text

MOST = 50
SWEPT = {"solver.learning_rate": "rate", "batch_size": "batch"}
"""The fields that take several values, and what each is called in the name of a job."""


def expand(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of each training that is asked for: one, or as many as there are combinations. Raises Invalid."""
    several = {field: found for field in SWEPT if len(found := _several(_get(values, field))) > 1}
    if not several:
        return [values]
    ways = list(product(*several.values()))
    if len(ways) > MOST:
        raise Invalid({next(iter(several)): f"These are {len(ways)} trainings: at most {MOST} at once."})
    sweep = secrets.token_hex(8)
    return [_one(values, dict(zip(several, way, strict=True)), sweep) for way in ways]


def _several(value: Any) -> list[Any]:
    """What was typed as a list, each value once."""
    parts = split_text(value)
    return list(dict.fromkeys(parts)) if isinstance(parts, list) else [parts]


def _one(values: dict[str, Any], chosen: dict[str, Any], sweep: str) -> dict[str, Any]:
    one = copy.deepcopy(values)
    for field, value in chosen.items():
        *path, last = field.split(".")
        section = one
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    words = ", ".join(f"{SWEPT[field]} {value}" for field, value in chosen.items())
    name = str(values.get("name", ""))[:150]
    named = {"name": f"{name} · {words}"} if name.strip() else {}
    return {**one, **named, "sweep": sweep}


def _get(values: dict[str, Any], field: str) -> Any:
    found: Any = values
    for part in field.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
