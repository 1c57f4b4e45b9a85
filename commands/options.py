"""Command line options generated from the specs: fields, defaults and help as in the forms."""

from collections.abc import Callable
from typing import Any

import click
from pydantic import BaseModel

from app.forms.command_line import opposite, option_name
from app.forms.fields import SHOWN, Field, Values, fields_of, values_of

Command = Callable[..., Any]


def options(spec: type[BaseModel]) -> Callable[[Command], Command]:
    """A decorator that adds an option to a command for each field of a spec.

    The command gets the values by field.
    """

    def decorate(command: Command) -> Command:
        fields: dict[str, Field] = {}
        for field in fields_of(spec):
            # Kinds have settings of the same name, such as the start of networks: some of them have
            # more choices than others.
            same = fields.get(field.name, field)
            fields[field.name] = max(field, same, key=lambda field: len(field.choices))
        for field in reversed(fields.values()):
            command = _option(field)(command)
        return command

    return decorate


def _option(field: Field) -> Callable[[Command], Command]:
    choices = [value for value, _ in field.choices]
    if field.widget == "checkbox":
        option = option_name(field.name)
        return click.option(
            f"{option}/{opposite(option)}", _key(field.name), default=None, help=field.help
        )
    default = "" if field.when or field.value == "" else f" [default: {field.value}]"
    kind = click.Choice(choices) if choices else None
    return click.option(
        option_name(field.name),
        _key(field.name),
        type=kind,
        metavar=None if kind else _metavar(field),
        help=field.help + default,
    )


def _metavar(field: Field) -> str:
    by_widget = {
        "file": "FILE",
        "python": "FILE",
        "folder": "FOLDER",
        "any": "PATH",
        "number": "NUMBER",
        "list": "NUMBERS",
    }
    return by_widget.get(field.widget, "TEXT")


def _key(field: str) -> str:
    return field.replace(".", "__")


def typed_values(spec: type[BaseModel], given: dict[str, Any]) -> Values:
    """The values of a command's options, nested like the spec."""
    typed: dict[str, str] = {}
    for key, value in given.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            typed[name + SHOWN] = "1"
            typed |= {name: "on"} if value else {}
        elif value is not None:
            typed[name] = str(value)
    return values_of(spec, typed)
