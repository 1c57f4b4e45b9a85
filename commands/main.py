"""`clearframe`: what the pages do, from a shell."""

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from app.checks import sweeps
from app.checks.dataset import checked_dataset
from app.checks.training import checked_training, with_its_loss
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
"""Which kind of source an option speaks of, where --kind does not say it; the first one that is given counts."""

UNIONS = ("network", "loss", "solver", "lr_policy")
"""The parts of a training that come in several kinds."""


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
@click.option(
    "--spec",
    "spec_file",
    type=click.File(),
    help="Take the settings from a JSON file, as the API takes them.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
)
@click.option("--server", metavar="URL", help="Make it on this server; without it, here and now.")
def create_dataset(spec_file: TextIO | None, home: Path, server: str | None, **given: Any) -> None:
    """Make a dataset. Give --stream and --originals; --input and --target; --originals alone; or --manifest."""
    told = _told(spec_file) if spec_file else {}
    typed = typed_values(DatasetSpec, _with_kinds(given, told))
    values = _over(typed, {"name": _name(given), **told})
    view = (
        run_on(server, "/datasets", values)
        if server
        else run_here(home.resolve(), "dataset", _checked(values))
    )
    click.echo(json.dumps(view["summary"], indent=1))


def _told(spec_file: TextIO) -> dict[str, Any]:
    try:
        told = json.load(spec_file)
    except ValueError as error:
        raise click.ClickException(f"{spec_file.name} is no JSON: {error}.") from error
    if not isinstance(told, dict):
        raise click.ClickException(
            f"{spec_file.name} must hold a JSON object, as the API takes it."
        )
    return told


def _with_kinds(given: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Say the kind of each source that is spoken of, unless it was said; where none is, the file's kinds stand."""
    for tag, section in (
        ("validation__method", told.get("validation")),
        ("test__method", told.get("test")),
    ):
        _default(given, tag, (section or {}).get("method"))
    for prefix, section in (
        ("source", told),
        ("validation__source", told.get("validation")),
        ("test__source", told.get("test")),
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


def _over(typed: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What was typed over what the file tells; a section of another kind replaces the file's."""
    return {**told, **{key: _section(value, told.get(key)) for key, value in typed.items()}}


def _section(typed: Any, told: Any) -> Any:
    if not isinstance(typed, dict) or not isinstance(told, dict):
        return typed
    same = all(typed.get(tag) == told.get(tag) for tag in ("kind", "method", "name"))
    return _over(typed, told) if same else typed


def _name(given: dict[str, Any]) -> str | None:
    """As the form suggests it: what the stream, or else the other source, is called."""
    paths = (
        given.get(f"source__{field}") for field in ("stream", "input", "originals", "manifest")
    )
    return next((Path(path).name.split(".")[0] for path in paths if path), None)


def _checked(values: dict[str, Any]) -> DatasetSpec:
    """The spec, with paths of this machine: whoever runs the command may read what they may read."""
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
    help="Take the settings from a JSON file, as the API takes them.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
)
@click.option("--server", metavar="URL", help="Train on this server; without it, here and now.")
@click.option(
    "--allow-user-code",
    is_flag=True,
    help="Run the Python file of a network or a loss, here and now.",
)
def train(
    spec_file: TextIO | None, home: Path, server: str | None, allow_user_code: bool, **given: Any
) -> None:
    """Train a network on a dataset: --dataset ID --name first. Several rates or batch sizes train one after another."""
    values = _asked_for(given, _told(spec_file) if spec_file else {})
    if server:
        for id in call(server, "/models", values)["ids"]:
            click.echo(json.dumps(follow(server, id)["summary"], indent=1))
        return
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    home = home.resolve()
    for spec in _trainings(values, home, allow_user_code):
        click.echo(json.dumps(run_here(home, "model", spec)["summary"], indent=1))


def _asked_for(given: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """The options over the file; a kind that no option names is the file's, or else left to the pasted network's text."""
    for section in UNIONS:
        in_file = told.get(section)
        _default(
            given, f"{section}__name", in_file.get("name") if isinstance(in_file, dict) else None
        )
    typed = typed_values(ModelSpec, given)
    unsaid = [
        section
        for section in UNIONS
        if given[f"{section}__name"] is None and len(typed[section]) == 1
    ]
    typed = {key: value for key, value in typed.items() if key not in unsaid}
    if any(length in typed for length in LENGTHS):
        told = {key: value for key, value in told.items() if key not in LENGTHS}
    return _over(typed, told)


def _trainings(values: dict[str, Any], home: Path, user_code: bool) -> list[ModelSpec]:
    """What is asked for, on the jobs of a home, checked as a server does it; paths are those of this machine."""
    find = functools.partial(find_in, home)
    here = Settings(home, (Path.cwd(), Path("/")), allow_user_code=user_code)
    try:
        each = [with_its_loss(one, find) for one in sweeps.expand(values)]
        specs = [checked_training(validate(ModelSpec, one), find, here) for one in each]
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
