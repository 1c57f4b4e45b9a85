"""`clearframe`: what the pages do, from a shell."""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from app import checks
from app.problems import Invalid, validate
from commands.options import option_name, options, typed_values
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
    values = {**(json.load(spec_file) if spec_file else {}), **typed_values(DatasetSpec, _with_kinds(given))}
    view = run_on(server, "/datasets", values) if server else run_here(home.resolve(), "dataset", _checked(values))
    click.echo(json.dumps(view["summary"], indent=1))


def _with_kinds(given: dict[str, Any]) -> dict[str, Any]:
    """Say the kind of each source that is spoken of, unless it was said."""
    for prefix in ("source", "validation__source", "test__source"):
        named = next((kind for field, kind in KINDS.items() if given.get(f"{prefix}__{field}") is not None), None)
        if named and given.get(f"{prefix}__kind") is None:
            given[f"{prefix}__kind"] = named
    return given


def _checked(values: dict[str, Any]) -> DatasetSpec:
    """The spec, with paths of this machine: whoever runs the command may read what they may read."""
    try:
        return checks.dataset(validate(DatasetSpec, values), (Path.cwd(), Path("/")))
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems, option_name)) from invalid


if __name__ == "__main__":
    main()
