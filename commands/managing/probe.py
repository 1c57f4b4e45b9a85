"""`clearframe probe`: look at the sources of a dataset without creating it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import click

from app.bodies import ProbeRequest
from app.checks.dataset import checked_dataset
from app.runner import probing
from app.validation_errors import validate
from commands.common_options import home_option, server_option
from commands.dataset import requested_dataset
from commands.options import options
from commands.running.following import place_of
from commands.running.refusals import refusals
from commands.running.results import json_option, print_json
from commands.running.there import There
from commands.spec_file import read_spec, spec_option


@click.command()
@options(ProbeRequest)
@spec_option
@home_option()
@server_option("Probe the sources")
@json_option
def probe(
    spec_file: TextIO | None, home: Path, server: str | None, as_json: bool, **given: Any
) -> None:
    """Look at the sources of a dataset: whether both sides belong together, and the first pair.

    The exit status is 1 if the dataset cannot be made.
    """
    values = requested_dataset(ProbeRequest, given, read_spec(spec_file))
    with refusals():
        place = place_of(server, home)
        if isinstance(place, There):
            found = place.post("/probe", values, ProbeRequest)
        else:
            request = checked_dataset(validate(ProbeRequest, values), (Path.cwd(), Path("/")))
            found = probing.probe(request)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise click.ClickException("\n".join(found["problems"]))


def _print(found: Mapping[str, Any]) -> None:
    for text in found["warnings"]:
        click.echo(f"Warning: {text}", err=True)
    if "frames" in found:
        about = "" if found.get("counted") else "about "
        click.echo(f"{about}{found['frames']:,} inputs, {found['originals']:,} originals")
    if "input_size" in found:
        sizes = f"input {found['input_size']}, original {found.get('target_size', 'unknown')}"
        click.echo(sizes.replace("x", "×"))
    first = found.get("first") or {}
    if first.get("psnr") is not None:
        click.echo(f"first pair: PSNR {first['psnr']:.2f} dB")
    alignment = found.get("alignment")
    if alignment:
        click.echo(
            f"best frame offset: {alignment['best']}, from {alignment['frames']:,} compared frames"
        )
        for jump in alignment["jumps"]:
            click.echo(jump["words"])
