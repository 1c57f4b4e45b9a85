"""`clearframe export`: a snapshot as a file for other programs, made locally or by a server."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from app.catalog.catalog import Refused
from app.catalog.index import row_of
from app.runner import exporting
from app.validation_errors import Invalid
from commands.common_options import home_option, server_option, user_code_option
from commands.options import options, typed_values
from commands.running import call, download, sentences
from jobs.core.folder import JobFolder
from jobs.specs.export import ExportSpec


@click.command()
@click.argument("model", metavar="MODEL_ID")
@options(ExportSpec)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file. [default: NAME-SNAPSHOT with the format's extension, "
    "in the current folder]",
)
@home_option("Read the model from this home folder.")
@server_option("Export")
@user_code_option("Python file or package of a network")
def export(
    model: str,
    out: Path | None,
    home: Path,
    server: str | None,
    allow_user_code: bool,
    **given: Any,
) -> None:
    """Export a snapshot as ONNX, TorchScript or torch.export, and compare its output with torch."""
    values = typed_values(ExportSpec, given)
    folder = JobFolder(home.resolve() / "jobs" / model)
    if server:
        id = quote(model, safe="")
        answer, name = (
            call(server, f"/models/{id}/exports", values),
            call(server, f"/jobs/{id}")["name"],
        )
    else:
        answer, name = _export_here(folder, values, allow_user_code), folder.read()["name"]
    out = out or _named(name, answer)
    try:
        if server:
            download(server, answer["url"], out)
        else:
            shutil.copyfile(folder.path / answer["file"], out)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}.") from error
    click.echo(json.dumps({**answer, "out": str(out)}, indent=1))


def _export_here(folder: JobFolder, values: dict[str, Any], user_code: bool) -> dict[str, Any]:
    if not (folder.path / "job.json").is_file() or folder.read()["kind"] != "model":
        raise click.ClickException(
            f"No model {folder.id} in {folder.path.parent.parent}. Set --home or --server."
        )
    try:
        return exporting.export(folder, exporting.checked_export(values, row_of(folder)), user_code)
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems)) from invalid
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused


def _named(model: str, answer: dict[str, Any]) -> Path:
    """NAME-SNAPSHOT.onnx. Characters that are unsafe in file names become hyphens."""
    name = re.sub(r"[^\w.]+", "-", model).strip("-.") or "model"
    return Path(f"{name}-{Path(answer['file']).name}")
