"""`clearframe restore`: a video, a stream, an image or a folder of images through a snapshot, here and now, without a server."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.core.suffixes import is_image
from jobs.restoring.outputs import check_video
from jobs.specs.test import Codec

if TYPE_CHECKING:
    from jobs.core.report import Report
    from jobs.restoring.video import Model, Restored

MIB = 2**20


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, exists=True))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--model", "model_id", metavar="ID", required=True, help="The model that restores.")
@click.option(
    "--snapshot", default="best", show_default=True, help="best, last, or a snapshot's name."
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
)
@click.option(
    "--codec",
    type=click.Choice(["h264", "ffv1"]),
    default="h264",
    show_default=True,
    help="ffv1 is lossless, in .mkv.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--memory",
    type=click.IntRange(1),
    metavar="MIB",
    help="What layers may take. [default: half of what is free]",
)
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--allow-user-code", is_flag=True, help="Run the Python file of a network.")
def restore(
    source: Path,
    out: Path,
    model_id: str,
    snapshot: str,
    home: Path,
    codec: Codec,
    device: str,
    memory: int | None,
    overwrite: bool,
    allow_user_code: bool,
) -> None:
    """Restore a video, an H.264 stream, an image or a folder of images.

    Times, aspect, rotation, colours' meaning and sound of a video are kept. OUT's ending names the container.
    """
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    folder = JobFolder(home.resolve() / "jobs" / model_id)
    if not (folder.path / "job.json").is_file() or folder.read()["kind"] != "model":
        raise click.ClickException(
            f"There is no model {model_id} in {home.resolve()}. Give --home."
        )
    try:
        if not (source.is_dir() or is_image(source.name)):
            check_video(
                source, out, codec, overwrite
            )  # Before torch is loaded, which takes seconds.
        restored = _restored(
            source, out, codec, _model(folder, snapshot, device, memory), _report(), overwrite
        )
    except JobError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_told(restored)))
    if restored.why:
        raise click.ClickException(f"{restored.why} {restored.out} has what was restored.")


def _model(folder: JobFolder, wanted: str, device: str, memory: int | None) -> "Model":
    from jobs.networks import snapshots
    from jobs.networks.device import choose_device
    from jobs.restoring.video import Model
    from models.tiles import device_of, free_memory

    _, restorer, channels = snapshots.load(folder, wanted)
    restorer = restorer.to(_device(device, choose_device))
    return Model(restorer, channels, memory * MIB if memory else free_memory(device_of(restorer)))


def _device(wanted: str, choose: Any) -> Any:
    kind, _, number = wanted.partition(":")
    if (
        kind not in ("auto", "cpu", "cuda")
        or (number and not number.isdecimal())
        or (kind != "cuda" and number)
    ):
        raise JobError(f"--device: {wanted} is no device. Give auto, cpu, cuda or cuda:1.")
    return choose(wanted)


def _restored(
    source: Path, out: Path, codec: Codec, model: "Model", report: "Report", overwrite: bool
) -> "Restored":
    from jobs.restoring.images import restore_folder, restore_image
    from jobs.restoring.video import restore_video

    if source.is_dir():
        return restore_folder(source, out, model, report, overwrite)
    if is_image(source.name):
        return restore_image(source, out, model, report, overwrite)
    return restore_video(source, out, model, report, codec, overwrite)


def _report() -> "Report":
    """What is told goes to stderr; Ctrl-C ends the work with nothing half done."""
    from jobs.core.events import Event, NoLog
    from jobs.core.report import Report

    class Shown(NoLog):
        def append(self, type: str, **fields: Any) -> Event:
            if type == "message":
                click.echo(f"{_clear()}{fields['text']}", err=True)
            if type == "progress":
                ending = "" if sys.stderr.isatty() else "\n"
                click.echo(f"{_clear()}{progress(fields)}{ending}", err=True, nl=False)
                if ending == "" and fields["done"] == fields["total"]:
                    click.echo(err=True)
            return super().append(type, **fields)

    report = Report(Shown())
    report.stop_on(signal.SIGINT)
    report.stop_on(signal.SIGTERM)
    return report


def _clear() -> str:
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def progress(fields: dict[str, Any]) -> str:
    """120 of 250 frames, 41.3 a second, 0:03 left"""
    total = f" of {fields['total']:,}" if fields["total"] else ""
    eta = fields["eta"]
    left = "" if eta is None else f", {int(eta) // 60}:{int(eta) % 60:02d} left"
    return f"{fields['done']:,}{total} {fields['unit']}, {fields['rate']:.1f} a second{left}"


def _told(restored: "Restored") -> dict[str, Any]:
    return {
        "frames": restored.frames,
        "seconds": round(restored.seconds, 3),
        "frames_per_second": round(restored.frames_per_second, 2),
        "width": restored.width,
        "height": restored.height,
        "codec": restored.codec,
        "out": str(restored.out),
        "why": restored.why,
    }
