"""`clearframe compare`: the settings in which models differ, and their scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from app.forms.comparing import MAX_MODELS, compared_settings
from commands.common_options import home_option, server_option
from commands.running.following import Place, find_job, place_of
from commands.running.refusals import refusals
from commands.running.results import json_option, print_json, table

SCORES = (
    ("best snapshot", "snapshot"),
    ("validation L1", "val/l1"),
    ("validation PSNR, dB", "val/psnr"),
    ("of the input, dB", "val/psnr_input"),
    ("validation SSIM", "val/ssim"),
)


@click.command()
@click.argument("models", metavar="MODEL MODEL...", nargs=-1, required=True)
@home_option()
@server_option("Compare the models")
@json_option
def compare(models: tuple[str, ...], home: Path, server: str | None, as_json: bool) -> None:
    """Compare models: the settings in which they differ, and their best scores."""
    if not 2 <= len(models) <= MAX_MODELS:
        raise click.UsageError(f"Give 2 to {MAX_MODELS} models.")
    with refusals():
        place = place_of(server, home)
        jobs = [place.job(find_job(place, model, "model")) for model in models]
        for job in jobs:
            if job["kind"] != "model":
                raise click.ClickException(f"{job['id']} is a {job['kind']}, not a model.")
        settings = [
            setting
            for setting in compared_settings(jobs, lambda id: _name(place, id))
            if setting.differs
        ]
    scores = {key: [_score(job, key) for job in jobs] for _, key in SCORES}
    if as_json:
        names = [{"id": job["id"], "name": job["name"], "state": job["state"]} for job in jobs]
        differing = {setting.label: setting.values for setting in settings}
        print_json({"models": names, "settings": differing, "scores": scores})
        return
    table(
        [
            ["", *(job["name"] for job in jobs)],
            ["id", *(job["id"] for job in jobs)],
            *([setting.label, *setting.values] for setting in settings),
            *([label, *map(_text, scores[key])] for label, key in SCORES),
        ]
    )


def _name(place: Place, id: str) -> str:
    try:
        with refusals():
            return str(place.job(id)["name"])
    except click.ClickException:  # The job was deleted.
        return id


def _score(job: Mapping[str, Any], key: str) -> Any:
    return job["summary"].get("best", {}).get(key)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
