"""Command line options generated from the specs: fields, defaults and help as in the forms."""

from collections.abc import Callable
from typing import Any

import click
from pydantic import BaseModel

from app.forms.command_line import FROM_FILE, opposite, option_name, takes_file
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
    return by_widget.get(field.widget, "TEXT|@FILE" if takes_file(field) else "TEXT")


def _key(field: str) -> str:
    return field.replace(".", "__")


def typed_values(spec: type[BaseModel], given: dict[str, Any]) -> Values:
    """The values of a command's options, nested like the spec.

    Raises click.UsageError for an option of another kind than those chosen, and for a file that
    cannot be read.
    """
    readers = {field.name for field in fields_of(spec) if takes_file(field)}
    typed: dict[str, str] = {}
    for key, value in given.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            typed[name + SHOWN] = "1"
            typed |= {name: "on"} if value else {}
        elif value is not None:
            typed[name] = _text(name, value) if name in readers else str(value)
    values = values_of(spec, typed)
    _refuse_misfits(fields_of(spec, values), {name.removesuffix(SHOWN) for name in typed})
    return values


def _text(name: str, value: str) -> str:
    """The text of an option: @FILE stands for the content of a file, @- for the standard input."""
    if not value.startswith(FROM_FILE):
        return value
    path = value.removeprefix(FROM_FILE)
    if path.startswith(FROM_FILE):  # @@ stands for a text that begins with @.
        return path
    try:
        with click.open_file(path, encoding="utf-8") as file:
            return str(file.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise click.UsageError(
            f"{option_name(name)}: {path or 'The file'} cannot be read: {reason}. "
            f"Correct the path after {FROM_FILE}; write {FROM_FILE * 2} for a text that begins "
            f"with {FROM_FILE}."
        ) from error


def _refuse_misfits(fields: list[Field], names: set[str]) -> None:
    """Refuse options that other options make meaningless, such as --momentum with Adam."""
    selected = {field.name: str(field.value) for field in fields if field.kinds and field.active}
    fitting = {field.name for field in fields if field.active}
    for name in sorted(names - fitting):
        # A setting of kinds within kinds misses the choice of the outer one first.
        missed = [
            next((tag, kind) for tag, kind in field.when if selected.get(tag) != kind)
            for field in fields
            if field.name == name
        ]
        tag = missed[0][0]
        needed = " or ".join(dict.fromkeys(kind for other, kind in missed if other == tag))
        raise click.UsageError(
            f"{option_name(name)} needs {option_name(tag)} {needed}. "
            f"Here it is {selected.get(tag, 'not used')}: leave {option_name(name)} out, "
            f"or choose {needed}."
        )
