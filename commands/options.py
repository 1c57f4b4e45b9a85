"""Options of the command line, made from the specs: the same fields, defaults and help as in the forms."""

from collections.abc import Callable
from typing import Any

import click
from pydantic import BaseModel

from app.forms.command_line import opposite, option_name
from app.forms.fields import SHOWN, Field, Values, fields_of, values_of

Command = Callable[..., Any]


def options(spec: type[BaseModel]) -> Callable[[Command], Command]:
    """A decorator that gives a command an option for each field of a spec; it is called with the values, by field."""

    def decorate(command: Command) -> Command:
        names = {one.name: one for one in fields_of(spec)}
        for one in reversed(names.values()):
            command = _option(one)(command)
        return command

    return decorate


def _option(one: Field) -> Callable[[Command], Command]:
    choices = [value for value, _ in one.choices]
    if one.widget == "checkbox":
        option = option_name(one.name)
        return click.option(
            f"{option}/{opposite(option)}", _key(one.name), default=None, help=one.help
        )
    shown = "" if one.when or one.value == "" else f" [default: {one.value}]"
    kind = click.Choice(choices) if choices else None
    return click.option(
        option_name(one.name),
        _key(one.name),
        type=kind,
        metavar=None if kind else _metavar(one),
        help=one.help + shown,
    )


def _metavar(one: Field) -> str:
    words = {
        "file": "FILE",
        "python": "FILE",
        "folder": "FOLDER",
        "any": "PATH",
        "number": "NUMBER",
        "list": "NUMBERS",
    }
    return words.get(one.widget, "TEXT")


def _key(field: str) -> str:
    return field.replace(".", "__")


def typed_values(spec: type[BaseModel], given: dict[str, Any]) -> Values:
    """The values of a command's options, nested as the spec is."""
    typed: dict[str, str] = {}
    for key, value in given.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            typed[name + SHOWN] = "1"
            typed |= {name: "on"} if value else {}
        elif value is not None:
            typed[name] = str(value)
    return values_of(spec, typed)
