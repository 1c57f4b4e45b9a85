"""Shell command that recreates a job; a job's page offers it for copying."""

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

FROM_FILE = "@"
"""In front of a path: a text option takes the content of this file."""


def option_name(field: str) -> str:
    """The command-line option of a spec field.

    "source.stream" becomes --stream, "validation.method" --validation, and
    "validation.percent" --validation-percent.
    """
    short = SHORT.get(field) or field.removeprefix("source.").removesuffix(".method").removesuffix(
        ".name"
    )
    return "--" + short.replace(".", "-").replace("_", "-")


def opposite(option: str) -> str:
    """The negated form of a flag: --flips becomes --no-flips."""
    return "--no-" + option.removeprefix("--")


def takes_file(field: Field) -> bool:
    """Whether the option of a field is a text, for which @FILE can stand."""
    return field.widget in ("text", "code", "notes", "paths")


def as_command(kind: str, spec: dict[str, Any]) -> str:
    """The command with all options that differ from their defaults, in spec order, shell-quoted.

    A shell command cannot contain a NUL character. On Linux an argument is limited to 128 KiB.
    """
    command = COMMANDS.get(kind) or ("test", spec["kind"], *_network(spec))
    explicit = _explicit_fields(spec)
    fields = [
        field
        for field in fields_of(spec_of(kind, spec), spec)
        if field.active and (field.value != field.default or field.name in explicit)
    ]
    runs_code = any(_kind(spec, section) == "python" for section in ("network", "loss"))
    return shlex.join(
        [
            "clearframe",
            *command,
            *(argument for field in fields for argument in _arguments(field)),
            *["--allow-user-code"] * runs_code,
        ]
    )


def _network(spec: dict[str, Any]) -> tuple[str, ...]:
    """The arguments for the network of a test: the id of a model, or a starter."""
    return (spec["model"],) if spec["model"] else ("--starter", spec["starter"])


def _explicit_fields(spec: dict[str, Any]) -> set[str]:
    """Fields that the command includes even if they have their default value.

    A pasted network may name a loss, which is used unless the command gives one.
    """
    return {"loss.name"} if _kind(spec, "network") == "custom" else set()


def _kind(spec: dict[str, Any], section: str) -> Any:
    return (spec.get(section) or {}).get("name")


def _arguments(field: Field) -> list[str]:
    option = option_name(field.name)
    if field.widget == "checkbox":
        return [option if field.value else opposite(option)]
    text = str(field.value)
    if takes_file(field) and text.startswith(FROM_FILE):
        text = FROM_FILE + text
    return [option, text.replace(", ", ",") if field.widget in ("list", "datasets") else text]
