"""Checks the new length of a training that is trained longer."""

from typing import Any

from app.catalog.database import JobRow
from app.forms.training import LENGTHS
from app.validation_errors import REQUIRED, Invalid, validate
from jobs.specs import ModelSpec


def new_length(row: JobRow, values: dict[str, Any]) -> tuple[str, float]:
    """The length, "epochs", "steps" or "minutes", and its value. Raises Invalid."""
    unknown = set(values) - set(LENGTHS)
    if unknown or len(values) != 1:
        raise Invalid(
            dict.fromkeys(unknown or LENGTHS, "Give exactly one of epochs, steps or minutes.")
        )
    (length,) = values
    planned = row.spec[length]
    if planned is None:
        others = " and ".join(name for name in LENGTHS if row.spec[name] is not None)
        message = f"The training was planned in {others}. Give its new length in {others}."
        raise Invalid({length: message})
    if values[length] is None:
        raise Invalid({length: REQUIRED})
    spec = validate(ModelSpec, {**row.spec, **values})
    if getattr(spec, length) <= planned:
        message = f"The training was planned for {planned:,} {length}. Give a larger number."
        raise Invalid({length: message})
    return length, getattr(spec, length)
