"""`clearframe dataset create`: create a dataset locally or on a server."""

import json
from pathlib import Path
from typing import Any, TextIO

import click

from app.checks.dataset import checked_dataset
from app.validation_errors import Invalid, validate
from commands.common_options import home_option, server_option
from commands.options import options, typed_values
from commands.running import run_here, run_on, sentences
from commands.spec_file import overlaid, read_spec, set_missing, spec_option
from jobs.specs import DatasetSpec

KINDS = {
    "input": "folders",
    "target": "folders",
    "manifest": "sequences",
    "stream": "stream",
    "originals": "compress",
}
"""The kind of source that an option implies if --kind is missing. The first given option counts."""


@click.group()
def dataset() -> None:
    """Create datasets of (decoded, original) pairs."""


@dataset.command("create")
@options(DatasetSpec)
@spec_option
@home_option()
@server_option("Create it")
def create_dataset(spec_file: TextIO | None, home: Path, server: str | None, **given: Any) -> None:
    """Create a dataset.

    Set its source: --stream and --originals, --input and --target, only --originals, or
    --manifest.
    """
    from_file = read_spec(spec_file)
    typed = typed_values(DatasetSpec, _with_kinds(given, from_file))
    values = overlaid(typed, {"name": _name(given), **from_file})
    view = (
        run_on(server, "/datasets", values)
        if server
        else run_here(home.resolve(), "dataset", _checked(values))
    )
    click.echo(json.dumps(view["summary"], indent=1))


def _with_kinds(given: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """Add missing kinds of sources: those that options imply, else those of the file."""
    for tag, section in (
        ("validation__method", from_file.get("validation")),
        ("test__method", from_file.get("test")),
    ):
        set_missing(given, tag, (section or {}).get("method"))
    for prefix, section in (
        ("source", from_file),
        ("validation__source", from_file.get("validation")),
        ("test__source", from_file.get("test")),
    ):
        named = next(
            (kind for field, kind in KINDS.items() if given.get(f"{prefix}__{field}") is not None),
            None,
        )
        set_missing(
            given, f"{prefix}__kind", named or ((section or {}).get("source") or {}).get("kind")
        )
    return given


def _name(given: dict[str, Any]) -> str | None:
    """The default name, as in the form: the name of the stream, else of the other source."""
    paths = (
        given.get(f"source__{field}") for field in ("stream", "input", "originals", "manifest")
    )
    return next((Path(path).name.split(".")[0] for path in paths if path), None)


def _checked(values: dict[str, Any]) -> DatasetSpec:
    """The checked spec. The command may read all local paths that its user may read."""
    try:
        return checked_dataset(validate(DatasetSpec, values), (Path.cwd(), Path("/")))
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems)) from invalid
