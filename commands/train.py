"""`clearframe train`: train networks locally or on a server."""

import os
from pathlib import Path
from typing import Any, TextIO

import click

from app.checks import sweeps
from app.checks.training import checked_training, image_channels, with_network_loss
from app.forms.preview import warnings_in, warnings_of
from app.forms.training import LENGTHS
from app.runner import start_check
from app.settings import Settings
from app.validation_errors import validate
from commands.common_options import home_option, server_option, user_code_option, wait_option
from commands.options import options, typed_values
from commands.running.following import Place, created, follow, place_of, with_ids
from commands.running.here import Here
from commands.running.refusals import refusals
from commands.running.results import Results, json_option, print_json
from commands.running.there import There
from commands.spec_file import overlaid, read_spec, set_missing, spec_option
from jobs.core.launcher import USER_CODE
from jobs.specs import ModelSpec

UNIONS = ("network", "loss", "solver", "lr_policy")
"""The sections of a training that have several kinds."""


@click.command()
@options(ModelSpec)
@spec_option
@home_option()
@server_option("Train")
@wait_option
@json_option
@user_code_option("Python file of a network or loss")
@click.option(
    "--check",
    is_flag=True,
    help="Print which weights of --start-file the network takes, instead of training.",
)
def train(
    spec_file: TextIO | None,
    home: Path,
    server: str | None,
    wait: bool,
    as_json: bool,
    allow_user_code: bool,
    check: bool,
    **given: Any,
) -> None:
    """Train a network on a dataset, for example: --dataset ID --name first.

    Give several learning rates or batch sizes to train them in sequence. The id of each training
    is a line of the output; with --json, several are a list.
    """
    values = _requested_training(given, read_spec(spec_file))
    place = place_of(server, home)
    with refusals():
        values = with_ids(place, ModelSpec, values)
        if check:
            found = _checked_start(place, values, allow_user_code)
            print_json(found) if as_json else click.echo("\n".join(found))
        elif isinstance(place, There):
            _warn(_warnings_on(place, values))
            ids = place.post("/models", values, ModelSpec)["ids"]
            created(place, ids, Results(as_json, len(ids) > 1), wait)
        else:
            _train_here(place, values, allow_user_code, as_json)


def _train_here(place: Here, values: dict[str, Any], user_code: bool, as_json: bool) -> None:
    if user_code:
        os.environ[USER_CODE] = "1"
    specs = _trainings(values, place, user_code)
    _warn(warnings_of(values, specs[0], [place.find(id) for id in specs[0].datasets]))
    with Results(as_json, len(specs) > 1) as results:
        for spec in specs:
            id = place.create("model", spec)
            results.created(id)
            follow(place, [id], results)


def _checked_start(place: Place, values: dict[str, Any], user_code: bool) -> list[str]:
    """What the network takes from the file of weights, in words. Raises Invalid, ApiError."""
    if not values.get("start_file"):
        raise click.UsageError("--check needs --start-file.")
    values = {"name": "start", **values}
    if isinstance(place, There):
        texts: list[str] = place.post("/models/start-file", values, ModelSpec)["sentences"]
        return texts
    spec = _trainings(values, place, user_code)[0]
    channels = image_channels(place.find(spec.dataset))
    return start_check.sentences(spec, channels, user_code)


def _warnings_on(place: There, values: dict[str, Any]) -> list[str]:
    shown = place.client.models.preview(**values)
    name = (values.get("network") or {}).get("name", "")
    return warnings_in(shown["notes"], shown["rate"], name)


def _warn(warnings: list[str]) -> None:
    for text in warnings:
        click.echo(f"Warning: {text}", err=True)


def _requested_training(given: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training: options over the file.

    If no option sets a section's kind, the file sets it, else the text of a pasted network.
    """
    for section in UNIONS:
        in_file = from_file.get(section)
        set_missing(
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
    return overlaid(typed, from_file)


def _trainings(values: dict[str, Any], place: Here, user_code: bool) -> list[ModelSpec]:
    """The trainings of a sweep, with the jobs of a home and local paths, checked as on a server.

    Raises Invalid.
    """
    settings = Settings(
        home=place.home, data_roots=(Path.cwd(), Path("/")), allow_user_code=user_code
    )
    trainings = [with_network_loss(training, place.find) for training in sweeps.expand(values)]
    specs = [
        checked_training(validate(ModelSpec, training), place.find, settings)
        for training in trainings
    ]
    for id in specs[0].datasets:
        dataset = place.find(id)
        if dataset is not None and dataset.state != "done":
            raise click.ClickException(
                f"--dataset: “{dataset.name}” is not finished yet ({dataset.state}). Wait for it."
            )
    return specs
