"""`clearframe export`: a snapshot as a file for other programs, made locally or by a server."""

import re
import shutil
from pathlib import Path
from typing import Any

import click

from app.catalog.index import row_of
from app.runner import exporting
from commands.common_options import home_option, server_option, user_code_option
from commands.options import options, typed_values
from commands.running.following import find_job, place_of
from commands.running.refusals import refusals
from commands.running.results import json_option, print_json
from commands.running.there import There
from jobs.core.folder import JobFolder
from jobs.specs.export import ExportSpec


@click.command()
@click.argument("model", metavar="MODEL")
@options(ExportSpec)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file. [default: NAME-SNAPSHOT with the format's extension, "
    "in the current folder]",
)
@home_option("Read the model from this home folder.")
@server_option("Export")
@json_option
@user_code_option("Python file or package of a network")
def export(
    model: str,
    out: Path | None,
    home: Path,
    server: str | None,
    as_json: bool,
    allow_user_code: bool,
    **given: Any,
) -> None:
    """Export a snapshot as ONNX, TorchScript or torch.export, and compare its output with torch."""
    values = typed_values(ExportSpec, given)
    place = place_of(server, home)
    with refusals():
        model = find_job(place, model, "model")
        if isinstance(place, There):
            answer: dict[str, Any] = dict(place.client.models.export(model, **values))
            out = out or _named(place.job(model)["name"], answer)
        else:
            folder = JobFolder(place.home / "jobs" / model)
            answer = _export_here(folder, values, allow_user_code)
            out = out or _named(folder.read()["name"], answer)
        try:
            if isinstance(place, There):
                place.client.connection.download(answer["url"], out)
            else:
                shutil.copyfile(folder.path / answer["file"], out)
        except OSError as error:
            raise click.ClickException(f"{out} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json({**answer, "out": str(out)})
    else:
        click.echo(out)


def _export_here(folder: JobFolder, values: dict[str, Any], user_code: bool) -> dict[str, Any]:
    if not (folder.path / "job.json").is_file() or folder.read()["kind"] != "model":
        raise click.ClickException(
            f"No model {folder.id} in {folder.path.parent.parent}. Set --home or --server."
        )
    return exporting.export(folder, exporting.checked_export(values, row_of(folder)), user_code)


def _named(model: str, answer: dict[str, Any]) -> Path:
    """NAME-SNAPSHOT.onnx. Characters that are unsafe in file names become hyphens."""
    name = re.sub(r"[^\w.]+", "-", model).strip("-.") or "model"
    return Path(f"{name}-{Path(answer['file']).name}")
