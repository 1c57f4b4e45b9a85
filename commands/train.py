"""`clearframe train`: train networks locally or on a server."""

import functools
import json
import os
from pathlib import Path
from typing import Any, TextIO

import click

from app.checks import sweeps
from app.checks.training import checked_training, with_network_loss
from app.forms.preview import warnings_in, warnings_of
from app.forms.training import LENGTHS
from app.settings import Settings
from app.validation_errors import Invalid, validate
from commands.common_options import home_option, server_option, user_code_option
from commands.options import options, typed_values
from commands.running import call, find_in, follow, run_here, sentences
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
@user_code_option("Python file of a network or loss")
def train(
    spec_file: TextIO | None, home: Path, server: str | None, allow_user_code: bool, **given: Any
) -> None:
    """Train a network on a dataset, for example: --dataset ID --name first.

    Give several learning rates or batch sizes to train them in sequence.
    """
    values = _requested_training(given, read_spec(spec_file))
    if server:
        _warn(_warnings_on(server, values))
        for id in call(server, "/models", values)["ids"]:
            click.echo(json.dumps(follow(server, id)["summary"], indent=1))
        return
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    home = home.resolve()
    specs = _trainings(values, home, allow_user_code)
    rows = [find_in(home, id) for id in specs[0].datasets]
    _warn(warnings_of(values, specs[0], rows))
    for spec in specs:
        click.echo(json.dumps(run_here(home, "model", spec)["summary"], indent=1))


def _warnings_on(server: str, values: dict[str, Any]) -> list[str]:
    shown = call(server, "/models/preview", values)
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


def _trainings(values: dict[str, Any], home: Path, user_code: bool) -> list[ModelSpec]:
    """The trainings of a sweep, with the jobs of a home and local paths, checked as on a server."""
    find = functools.partial(find_in, home)
    settings = Settings(home=home, data_roots=(Path.cwd(), Path("/")), allow_user_code=user_code)
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
