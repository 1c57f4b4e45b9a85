"""`clearframe export`: a snapshot as a file for other programs, made locally or by a server."""

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
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
from jobs.core.durable_files import write_whole
from jobs.core.folder import JobFolder
from jobs.specs.export import CARD, MADE_BY, ExportSpec


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
    """Export a snapshot to ONNX, TorchScript, torch.export, safetensors or an mpv shader.

    The output of the file is compared with that of torch. The model card, README.md next to
    the file, has its scores, its data, its licence, and the code that uses the file.
    """
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
                download = place.client.connection.download
                download(answer["url"], out)
                with TemporaryDirectory() as drafts:
                    download(answer["card_url"], Path(drafts) / CARD)
                    text = (Path(drafts) / CARD).read_text(encoding="utf-8")
            else:
                shutil.copyfile(folder.path / answer["file"], out)
                text = (folder.path / answer["card"]).read_text(encoding="utf-8")
            card = card_path(out)
            write_whole(card, text.replace(Path(answer["file"]).name, out.name))
        except OSError as error:
            raise click.ClickException(f"{out} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json({**answer, "out": str(out), "card_out": str(card)})
    else:
        click.echo(out)
        click.echo(f"Model card: {card}", err=True)


def card_path(out: Path) -> Path:
    """README.md next to a file. If that describes something else, a name from that of the file."""
    card = out.with_name(CARD)
    if not card.exists():
        return card
    text = card.read_text(encoding="utf-8", errors="replace")
    is_ours = MADE_BY in text and out.name in text
    return card if is_ours else out.with_name(f"{out.name}.{CARD}")


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
