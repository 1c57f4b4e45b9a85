"""Sweeps: lists of learning rates and batch sizes, such as "0.001, 0.0003".

Each combination becomes a training; a page compares them.
"""

import copy
import secrets
from itertools import product
from math import prod
from typing import Any

from app.validation_errors import Invalid
from jobs.specs.base import split_text

MAX_TRAININGS = 50
SWEPT = {"solver.learning_rate": "rate", "batch_size": "batch"}
"""The fields that accept several values, and the name of each in the name of a job."""


def expand(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of a single training, or of a training per combination. Raises Invalid."""
    numbers = {field: _numbers(_get(values, field)) for field in SWEPT}
    swept = {field: options for field, options in numbers.items() if len(options) > 1}
    single = {field: options[0] for field, options in numbers.items() if len(options) == 1}
    if not swept:
        return [_with(values, single)]
    count = prod(map(len, swept.values()))
    if count > MAX_TRAININGS:
        raise Invalid(
            {
                next(iter(swept)): f"The values make {count} trainings, more than {MAX_TRAININGS}. "
                "Enter fewer values."
            }
        )
    sweep = secrets.token_hex(8)
    combinations = [dict(zip(swept, options, strict=True)) for options in product(*swept.values())]
    return [
        {**_with(values, {**single, **chosen}), **_name(values, chosen), "sweep": sweep}
        for chosen in combinations
    ]


def _numbers(value: Any) -> list[Any]:
    """The entries of a list as typed, each number once; [] if it cannot be a list of numbers."""
    parts = split_text(value)
    parts = parts if isinstance(parts, list) else [parts]
    if not all(isinstance(part, str | int | float) for part in parts):
        return []
    unique: dict[Any, Any] = {}
    for part in parts:
        unique.setdefault(_number(part), part)
    return list(unique.values())


def _number(part: str | float) -> Any:
    """The value of a number: 1e-3 equals 0.001. Other texts stay, for the spec to report."""
    try:
        return float(part)
    except (ValueError, OverflowError):
        return part


def _with(values: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    training = copy.deepcopy(values)
    for field, value in chosen.items():
        *path, last = field.split(".")
        section = training
        for part in path:
            section = section[part]
        section[last] = value
    return training


def _name(values: dict[str, Any], chosen: dict[str, Any]) -> dict[str, str]:
    label = ", ".join(f"{SWEPT[field]} {value}" for field, value in chosen.items())
    name = str(values.get("name", ""))[:150]
    return {"name": f"{name} · {label}"} if name.strip() else {}


def _get(values: dict[str, Any], field: str) -> Any:
    value: Any = values
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
