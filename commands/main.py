"""`clearframe`: what the pages do, from a shell."""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from app import checks
from app.problems import Invalid, validate
from commands.options import options, typed_values
from commands.running import run_here, run_on, sentences
from jobs.specs import DatasetSpec

KINDS = {"input": "folders", "target": "folders", "manifest": "sequences", "stream": "stream", "originals": "compress"}
"""Which kind of source an option speaks of, where --kind does not say it; the first one that is given counts."""


@click.group()
def main() -> None:
    """Undo compression damage in images and video."""


@main.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def serve(context: click.Context) -> None:
    """Start the server; takes what run_server.py takes (--host, --port, --home, --data-root)."""
    os.execv(sys.executable, [sys.executable, "-m", "run_server", *context.args])  # noqa: S606  # It is to become the server.


@main.group()
def dataset() -> None:
    """Datasets of (decoded, original) pairs."""


@dataset.command("create")
@options(DatasetSpec)
@click.option("--spec", "spec_file", type=click.File(), help="Take the settings from a JSON file, as the API takes them.")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), default=Path("data"), envvar="CLEARFRAME_HOME", show_default=True
)
@click.option("--server", metavar="URL", help="Make it on this server; without it, here and now.")
def create_dataset(spec_file: TextIO | None, home: Path, server: str | None, **given: Any) -> None:
    """Make a dataset. Give --stream and --originals; --input and --target; --originals alone; or --manifest."""
    told = _told(spec_file) if spec_file else {}
    typed = typed_values(DatasetSpec, _with_kinds(given, told))
    values = _over(typed, {"name": _name(given), **told})
    view = run_on(server, "/datasets", values) if server else run_here(home.resolve(), "dataset", _checked(values))
    click.echo(json.dumps(view["summary"], indent=1))


def _told(spec_file: TextIO) -> dict[str, Any]:
    try:
        told = json.load(spec_file)
    except ValueError as error:
        raise click.ClickException(f"{spec_file.name} is no JSON: {error}.") from error
    if not isinstance(told, dict):
        raise click.ClickException(f"{spec_file.name} must hold a JSON object, as the API takes it.")
    return told


def _with_kinds(given: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Say the kind of each source that is spoken of, unless it was said; where none is, the file's kinds stand."""
    for tag, section in (("validation__method", told.get("validation")), ("test__method", told.get("test"))):
        _default(given, tag, (section or {}).get("method"))
    for prefix, section in (("source", told), ("validation__source", told.get("validation")), ("test__source", told.get("test"))):
        named = next((kind for field, kind in KINDS.items() if given.get(f"{prefix}__{field}") is not None), None)
        _default(given, f"{prefix}__kind", named or ((section or {}).get("source") or {}).get("kind"))
    return given


def _default(given: dict[str, Any], key: str, value: str | None) -> None:
    if given.get(key) is None:
        given[key] = value


def _over(typed: Any, told: Any) -> Any:
    """What was typed over what the file tells; a section of another kind replaces the file's."""
    kinds = [{key: section.get(key) for key in ("kind", "method")} for section in (typed, told) if isinstance(section, dict)]
    if len(kinds) < 2 or kinds[0] != kinds[1]:
        return typed
    return {**told, **{key: _over(value, told.get(key)) for key, value in typed.items()}}


def _name(given: dict[str, Any]) -> str | None:
    """As the form suggests it: what the stream, or else the other source, is called."""
    paths = (given.get(f"source__{field}") for field in ("stream", "input", "originals", "manifest"))
    return next((Path(path).name.split(".")[0] for path in paths if path), None)


def _checked(values: dict[str, Any]) -> DatasetSpec:
    """The spec, with paths of this machine: whoever runs the command may read what they may read."""
    try:
        return checks.dataset(validate(DatasetSpec, values), (Path.cwd(), Path("/")))
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems)) from invalid


if __name__ == "__main__":
    main()
