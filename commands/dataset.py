"""`clearframe dataset create`: create a dataset locally or on a server."""

from pathlib import Path
from typing import Any, TextIO

import click

from app.checks.dataset import checked_dataset
from app.validation_errors import validate
from commands.common_options import home_option, server_option, wait_option
from commands.options import options, typed_values
from commands.running.following import created, place_of
from commands.running.refusals import refusals
from commands.running.results import Results, json_option
from commands.running.there import There
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
@wait_option
@json_option
def create_dataset(
    spec_file: TextIO | None,
    home: Path,
    server: str | None,
    wait: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Create a dataset.

    Set its source: --stream and --originals, --input and --target, only --originals, or
    --manifest. The id is the first line of the output.
    """
    values = requested_dataset(DatasetSpec, given, read_spec(spec_file))
    place = place_of(server, home)
    with refusals():
        if isinstance(place, There):
            id = place.post("/datasets", values, DatasetSpec)["id"]
        else:
            # The command may read all local paths that its user may read.
            spec = checked_dataset(validate(DatasetSpec, values), (Path.cwd(), Path("/")))
            id = place.create("dataset", spec)
        created(place, [id], Results(as_json), wait)


def requested_dataset(
    spec: type[DatasetSpec], given: dict[str, Any], from_file: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a dataset: options over the file, with the default name of the form."""
    typed = typed_values(spec, _with_kinds(given, from_file))
    return overlaid(typed, {"name": _name(given), **from_file})


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
