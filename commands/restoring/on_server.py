"""Restoration by a server: a test of each input there, whose output is downloaded."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from commands.restoring.options import Options
from commands.restoring.targets import Target
from commands.running.following import find_job, follow
from commands.running.results import Results
from commands.running.there import There
from jobs.core.suffixes import is_image
from jobs.restoring.output_file import check_free
from jobs.specs import ImageTest, VideoTest


def restore_there(
    place: There,
    found: list[Target],
    options: Options,
    results: Results,
) -> None:
    """Restore each input, and write its output."""
    for source, out in found:
        _check(source, out, options)
    model, starter = options.model_id, options.starter
    network = f"/models/{quote(find_job(place, model, 'model'), safe='')}" if model else ""
    settings: dict[str, Any] = {"qp": options.qp} if options.qp is not None else {}
    if model:
        settings["snapshot"] = options.snapshot
    video = {"codec": options.codec, "bit_depth": options.bit_depth}
    for source, out in found:
        path = f"{network or f'/starters/{starter}'}/tests"
        if is_image(source.name):
            values = {"kind": "image", "image": str(source), "layers": False, **settings}
            id = place.post(path, values, ImageTest)["id"]
        else:
            values = {"kind": "video", "video": str(source), **video, **settings}
            id = place.post(path, values, VideoTest)["id"]
        results.created(id)
        follow(place, [id], results)
        summary = place.job(id)["summary"]
        place.client.connection.download(summary.get("file") or summary["output"], out)
        click.echo(f"Wrote {out}", err=True)


def _check(source: Path, out: Path, options: Options) -> None:
    """Refuse an output before anything is uploaded. Raises UsageError, JobError."""
    extensions: tuple[str, ...]
    if is_image(source.name):
        kind, extensions = "images as PNG", (".png",)
    elif options.codec == "ffv1":
        kind, extensions = "ffv1 as Matroska", (".mkv",)
    else:
        kind, extensions = f"{options.codec} as MP4", (".mp4", ".m4v")
    if out.suffix.lower() not in extensions and not out.is_dir():
        raise click.UsageError(f"{out}: a server writes {kind}. Name it {extensions[0]}.")
    check_free(source, out, options.overwrite)
