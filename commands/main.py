"""`clearframe`: the functions of the web pages as shell commands."""

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from app.checks import sweeps
from app.checks.dataset import checked_dataset
from app.checks.training import checked_training, with_network_loss
from app.forms.training import LENGTHS
from app.problems import Invalid, validate
from app.settings import Settings
from commands.doctor import doctor
from commands.export import export
from commands.options import options, typed_values
from commands.restore import restore
from commands.running import call, find_in, follow, run_here, run_on, sentences
from commands.test import test
from jobs.core.launcher import USER_CODE
from jobs.specs import DatasetSpec, ModelSpec

KINDS = {
    "input": "folders",
    "target": "folders",
    "manifest": "sequences",
    "stream": "stream",
    "originals": "compress",
}
"""The kind of source that an option implies if --kind is missing. The first given option counts."""

UNIONS = ("network", "loss", "solver", "lr_policy")
"""The sections of a training that have several kinds."""


@click.group()
def main() -> None:
    """Remove compression artifacts from images and video."""


@main.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def serve(context: click.Context) -> None:
    """Start the server. Pass options of run_server.py (--host, --port, --home, --data-root)."""
    # The process becomes the server.
    os.execv(sys.executable, [sys.executable, "-m", "run_server", *context.args])  # noqa: S606


@main.group()
def dataset() -> None:
    """Create datasets of (decoded, original) pairs."""


@dataset.command("create")
@options(DatasetSpec)
@click.option(
    "--spec",
    "spec_file",
    type=click.File(),
    help="Read settings from a JSON file in the format of the API.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
    help="Use this home folder.",
)
@click.option("--server", metavar="URL", help="Create it on this server instead of this machine.")
def create_dataset(spec_file: TextIO | None, home: Path, server: str | None, **given: Any) -> None:
    """Create a dataset.

    Set its source: --stream and --originals, --input and --target, only --originals, or
    --manifest.
    """
    from_file = _read_spec(spec_file) if spec_file else {}
    typed = typed_values(DatasetSpec, _with_kinds(given, from_file))
    values = _overlaid(typed, {"name": _name(given), **from_file})
    view = (
        run_on(server, "/datasets", values)
        if server
        else run_here(home.resolve(), "dataset", _checked(values))
    )
    click.echo(json.dumps(view["summary"], indent=1))


def _read_spec(spec_file: TextIO) -> dict[str, Any]:
    try:
        from_file = json.load(spec_file)
    except ValueError as error:
        raise click.ClickException(f"{spec_file.name} is not valid JSON: {error}.") from error
    if not isinstance(from_file, dict):
        raise click.ClickException(
            f"{spec_file.name} must contain a JSON object in the format of the API."
        )
    return from_file


def _with_kinds(given: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """Add missing kinds of sources: those that options imply, else those of the file."""
    for tag, section in (
        ("validation__method", from_file.get("validation")),
        ("test__method", from_file.get("test")),
    ):
        _default(given, tag, (section or {}).get("method"))
    for prefix, section in (
        ("source", from_file),
        ("validation__source", from_file.get("validation")),
        ("test__source", from_file.get("test")),
    ):
        named = next(
            (kind for field, kind in KINDS.items() if given.get(f"{prefix}__{field}") is not None),
            None,
        )
        _default(
            given, f"{prefix}__kind", named or ((section or {}).get("source") or {}).get("kind")
        )
    return given


def _default(given: dict[str, Any], key: str, value: str | None) -> None:
    if given.get(key) is None:
        given[key] = value


def _overlaid(typed: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
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
    return _overlaid(typed, from_file) if same else typed


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


@main.command()
@options(ModelSpec)
@click.option(
    "--spec",
    "spec_file",
    type=click.File(),
    help="Read settings from a JSON file in the format of the API.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
    help="Use this home folder.",
)
@click.option("--server", metavar="URL", help="Train on this server instead of this machine.")
@click.option(
    "--allow-user-code",
    is_flag=True,
    help="Allow the Python file of a network or loss to run on this machine.",
)
def train(
    spec_file: TextIO | None, home: Path, server: str | None, allow_user_code: bool, **given: Any
) -> None:
    """Train a network on a dataset, for example: --dataset ID --name first.

    Give several learning rates or batch sizes to train them in sequence.
    """
    values = _requested_training(given, _read_spec(spec_file) if spec_file else {})
    if server:
        for id in call(server, "/models", values)["ids"]:
            click.echo(json.dumps(follow(server, id)["summary"], indent=1))
        return
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    home = home.resolve()
    for spec in _trainings(values, home, allow_user_code):
        click.echo(json.dumps(run_here(home, "model", spec)["summary"], indent=1))


def _requested_training(given: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training: options over the file.

    If no option sets a section's kind, the file sets it, else the text of a pasted network.
    """
    for section in UNIONS:
        in_file = from_file.get(section)
        _default(
            given, f"{section}__name", in_file.get("name") if isinstance(in_file, dict) else None
        )
    typed = typed_values(ModelSpec, given)
    without_kind = [
        section
        for section in UNIONS
        if given[f"{section}__name"] is None and len(typed[section]) == 1
    ]
    typed = {key: value for key, value in typed.items() if key not in without_kind}
    if any(length in typed for length in LENGTHS):
        from_file = {key: value for key, value in from_file.items() if key not in LENGTHS}
    return _overlaid(typed, from_file)


def _trainings(values: dict[str, Any], home: Path, user_code: bool) -> list[ModelSpec]:
    """The trainings of a sweep, with the jobs of a home and local paths, checked as on a server."""
    find = functools.partial(find_in, home)
    settings = Settings(home, (Path.cwd(), Path("/")), allow_user_code=user_code)
    try:
        trainings = [with_network_loss(training, find) for training in sweeps.expand(values)]
        specs = [
            checked_training(validate(ModelSpec, training), find, settings)
            for training in trainings
        ]
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems)) from invalid
    for id in specs[0].datasets:
        dataset = find(id)
        if dataset is not None and dataset.state != "done":
            raise click.ClickException(
                f"--dataset: “{dataset.name}” is not finished yet ({dataset.state}). Wait for it."
            )
    return specs


main.add_command(doctor)
main.add_command(export)
main.add_command(restore)
main.add_command(test)


if __name__ == "__main__":
    main()
