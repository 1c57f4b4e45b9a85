"""Settings of a job from a JSON file (`--spec`), which options override."""

import json
from typing import Any, TextIO

import click

spec_option = click.option(
    "--spec",
    "spec_file",
    type=click.File(),
    help="Read settings from a JSON file in the format of the API.",
)


def read_spec(spec_file: TextIO | None) -> dict[str, Any]:
    """The settings of the file; empty without a file. Raises UsageError for invalid JSON."""
    if spec_file is None:
        return {}
    try:
        from_file = json.load(spec_file)
    except ValueError as error:
        raise click.UsageError(f"{spec_file.name} is not valid JSON: {error}.") from error
    if not isinstance(from_file, dict):
        raise click.UsageError(
            f"{spec_file.name} must contain a JSON object in the format of the API."
        )
    return from_file


def set_missing(given: dict[str, Any], key: str, value: str | None) -> None:
    """Set an option that the command line does not set."""
    if given.get(key) is None:
        given[key] = value


def overlaid(typed: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """Options over the settings of the file.

    A section of another kind replaces the file's section.
    """
    return {
        **from_file,
        **{key: _section(value, from_file.get(key)) for key, value in typed.items()},
    }


def _section(typed: Any, from_file: Any) -> Any:
    if not isinstance(typed, dict) or not isinstance(from_file, dict):
        return typed
    same = all(typed.get(tag) == from_file.get(tag) for tag in ("kind", "method", "name"))
    return overlaid(typed, from_file) if same else typed
