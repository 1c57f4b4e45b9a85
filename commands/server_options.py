"""Command line options of the server, generated from the fields of its settings."""

import functools
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import DirectoryPath, ValidationError
from pydantic.fields import FieldInfo

from app.settings import Option, Settings, variable
from app.validation_errors import message_of


def with_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """Add an option for each setting to a command, and --config; call it with the settings."""

    @functools.wraps(command)
    def parsed(config: Path | None, **values: Any) -> None:
        source = click.get_current_context().get_parameter_source
        given = {
            name: value
            for name, value in values.items()
            if source(name) is ParameterSource.COMMANDLINE
        }
        command(load(given, config))

    decorated: Callable[..., None] = click.option(
        "--config",
        envvar=variable("config"),
        type=click.Path(path_type=Path, dir_okay=False),
        help="TOML file with settings, such as port = 5001 and data_roots = ['/srv/clips']. "
        "Environment variables (CLEARFRAME_PORT) override it, and options override both.",
    )(parsed)
    for name, field in reversed(Settings.model_fields.items()):
        decorated = _option(name, field)(decorated)
    return decorated


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., None]], Callable[..., None]]:
    facts = _facts(field)
    type, multiple = field.annotation, False
    if get_origin(type) is tuple:
        type, multiple = get_args(type)[0], True
    if get_origin(type) is types.UnionType:  # str | None
        type = get_args(type)[0]
    default = field.default
    return click.option(
        option_name(name),
        name,
        type=None if type is bool else _click_type(type, field),
        is_flag=type is bool,
        multiple=multiple,
        default=default if default not in (None, (), "") else None,
        show_default=facts.default or type is not bool,
        metavar=facts.metavar,
        help=field.description,
    )


def _click_type(type: Any, field: FieldInfo) -> Any:
    least, most = (_bound(field, name) for name in ("ge", "le"))
    if type is int:
        return click.IntRange(least, most)
    if type is float:
        return click.FloatRange(least, most)
    if get_origin(type) is Literal:
        return click.Choice(get_args(type))
    if type == DirectoryPath:
        return click.Path(path_type=Path, exists=True, file_okay=False)
    return type  # Path too: click would check a default that a variable or the file overrides.


def _bound(field: FieldInfo, name: str) -> Any:
    return next((getattr(item, name) for item in field.metadata if hasattr(item, name)), None)


def _facts(field: FieldInfo) -> Option:
    return next((item for item in field.metadata if isinstance(item, Option)), Option())


def option_name(field: str) -> str:
    named = _facts(Settings.model_fields[field]).name
    return named or "--" + field.replace("_", "-")


def load(options: dict[str, Any], config: Path | None) -> Settings:
    """The settings from options, environment and file.

    Raises ClickException that says which of these has which error.
    """
    if config is not None and not config.is_file():
        raise click.UsageError(f"No file at {config}. Correct --config or {variable('config')}.")
    try:
        return Settings.load(options, config)
    except ValidationError as error:
        raise _refusal(dict(error.errors()[0]), options, config) from error
    except ValueError as error:
        raise click.UsageError(f"{config} is not a TOML file: {error}. Correct it.") from error


def _refusal(
    detail: dict[str, Any], options: Mapping[str, Any], config: Path | None
) -> click.ClickException:
    field, kind = detail["loc"][0], detail["type"]
    if kind == "extra_forbidden":
        return click.UsageError(
            f"Unknown setting {field!r} in {config}. Remove it, or correct its name."
        )
    is_option = False
    if field not in options and Settings.in_environment(field):
        place, advice = variable(field), " Change or unset the variable."
    elif field not in options and Settings.in_file(field, config):
        place, advice = f"{field} in {config}", " Change the file."
    else:  # Or the option's default.
        place, advice, is_option = option_name(field), "", True
    if kind == "string_too_short":  # The message must not contain the token.
        return click.ClickException(
            f"The token is too short. Use at least 16 characters, or leave {place} out."
        )
    message = message_of(detail)
    if kind != "value_error":  # These name the value.
        message = f"{detail['input']!r}. {message}"
    quoted = f"'{place}'" if is_option else place  # As click does.
    return click.UsageError(f"Invalid value for {quoted}: {message}{advice}")
