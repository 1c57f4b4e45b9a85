"""The line of a shell that makes a job again: what a job's page offers to copy."""

import shlex
from typing import Any

from app.forms.fields import Field, fields_of
from jobs.specs import spec_of

COMMANDS = {"dataset": ("dataset", "create"), "model": ("train",)}

SHORT = {
    "solver.learning_rate": "learning-rate",
    "solver.weight_decay": "weight-decay",
    "solver.momentum": "momentum",
}


def option_name(field: str) -> str:
    """--stream of "source.stream", --validation of "validation.method", --validation-percent of "validation.percent"."""
    short = SHORT.get(field) or field.removeprefix("source.").removesuffix(".method").removesuffix(
        ".name"
    )
    return "--" + short.replace(".", "-").replace("_", "-")


def opposite(option: str) -> str:
    """What says no where the option says yes: --no-flips of --flips."""
    return "--no-" + option.removeprefix("--")


def as_command(kind: str, spec: dict[str, Any]) -> str:
    """What differs from the defaults, in the order of the spec, quoted for a shell.

    No command takes a NUL character, nor, on Linux, a text of more than 128 KiB.
    """
    command = COMMANDS.get(kind) or ("test", spec["kind"], spec["model"])
    named = _named(spec)
    shown = fields_of(spec_of(kind, spec), spec)
    said = [one for one in shown if one.active and (one.value != one.default or one.name in named)]
    runs_code = any(_kind(spec, section) == "python" for section in ("network", "loss"))
    return shlex.join(
        [
            "clearframe",
            *command,
            *(word for one in said for word in _words(one)),
            *["--allow-user-code"] * runs_code,
        ]
    )


def _named(spec: dict[str, Any]) -> set[str]:
    """The fields that are said though they have their default: a pasted network may bring a loss, which is taken where none is
    asked for."""
    return {"loss.name"} if _kind(spec, "network") == "custom" else set()


def _kind(spec: dict[str, Any], section: str) -> Any:
    return (spec.get(section) or {}).get("name")


def _words(one: Field) -> list[str]:
    option = option_name(one.name)
    if one.widget == "checkbox":
        return [option if one.value else opposite(option)]
    text = str(one.value)
    return [option, text.replace(", ", ",") if one.widget in ("list", "datasets") else text]
