"""`clearframe restore`: local restoration of a video, a stream, an image or a folder of images."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from commands.common_options import home_option, user_code_option
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.core.processes import GPU_ORDER, keep_freed_memory
from jobs.core.suffixes import is_image
from jobs.networks.user_code import errors_of_user_code
from jobs.restoring.output_file import check_video
from jobs.specs.networks import Starter
from jobs.specs.test import BitDepth, Codec

if TYPE_CHECKING:
    from jobs.core.report import Report
    from jobs.core.types.events import JobEvent
    from jobs.core.types.load import Progress
    from jobs.restoring.network import Model
    from jobs.restoring.video import Restored

MIB = 2**20


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, exists=True))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--model", "model_id", metavar="ID", help="Use this model instead of a starter.")
@click.option(
    "--starter",
    type=click.Choice(get_args(Starter)),
    default="fast",
    show_default=True,
    help="Use this network of the package.",
)
@click.option(
    "--snapshot",
    default="best",
    show_default=True,
    help="Use this snapshot: best, last or a name.",
)
@home_option("Read the model from this home folder.")
@click.option(
    "--codec",
    type=click.Choice(["h264", "hevc", "ffv1"]),
    default="h264",
    show_default=True,
    help="Encode videos with this codec. ffv1 is lossless and needs .mkv.",
)
@click.option(
    "--bit-depth",
    type=click.Choice(["input", "8"]),
    default="input",
    show_default=True,
    help="Write videos with this number of bits per value. Few devices play h264 with 10.",
)
@click.option(
    "--qp",
    type=click.IntRange(1, 51),
    help="Assume this QP where a file does not tell it, as HEVC, AV1, PNG and WebP. Higher values "
    "change more.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Compute on this device: auto, cpu, cuda or cuda:1.",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    metavar="MIB",
    help="Limit the memory of layers to this number of MiB. [default: half of the free memory]",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@user_code_option()
def restore(
    source: Path,
    out: Path,
    model_id: str | None,
    starter: Starter,
    snapshot: str,
    home: Path,
    codec: Codec,
    bit_depth: BitDepth,
    qp: int | None,
    device: str,
    memory: int | None,
    overwrite: bool,
    allow_user_code: bool,
) -> None:
    """Restore a video, an H.264 stream, an image or a folder of images.

    Without --model, a network of the package restores, a starter: no training is needed.

    Keep times, aspect ratio, rotation, colour signalling and sound of a video. Choose the
    container by OUT's extension.
    """
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    folder = _folder(home.resolve(), model_id) if model_id else None
    try:
        if not (source.is_dir() or is_image(source.name)):
            # Fail before torch is loaded, which takes seconds.
            check_video(source, out, codec, overwrite)
        keep_freed_memory()
        model = replace(_model(folder, snapshot, starter, device, memory), qp=qp)
        if qp is not None and not model.restorer.takes_qp:
            raise JobError("--qp: This model does not take the QP. Leave the option out.")
        restored = _restored(source, out, codec, bit_depth, model, _report(), overwrite)
    except JobError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_summary(restored)))
    if restored.why:
        raise click.ClickException(f"{restored.why} {restored.out} contains the restored part.")


def _folder(home: Path, model_id: str) -> JobFolder:
    folder = JobFolder(home / "jobs" / model_id)
    if not (folder.path / "job.json").is_file() or folder.read()["kind"] != "model":
        raise click.ClickException(f"No model {model_id} in {home}. Set --home.")
    return folder


def _model(
    folder: JobFolder | None, requested: str, starter: Starter, device: str, memory: int | None
) -> "Model":
    """The model of a folder, or the starter if there is no folder. Raises JobError."""
    from jobs.networks import snapshots, starters
    from jobs.networks.device import choose_device
    from jobs.restoring.network import Model
    from models.memory import free_memory
    from models.tiles import device_of

    if folder is None:
        restorer, channels = starters.load(starter)
    else:
        _, restorer, channels = snapshots.load(folder, requested)
    restorer = restorer.to(_device(device, choose_device))
    return Model(restorer, channels, memory * MIB if memory else free_memory(device_of(restorer)))


def _device(requested: str, choose: Any) -> Any:
    kind, _, number = requested.partition(":")
    if (
        kind not in ("auto", "cpu", "cuda")
        or (number and not number.isdecimal())
        or (kind != "cuda" and number)
    ):
        raise JobError(f"--device: Unknown device {requested}. Use auto, cpu, cuda or cuda:1.")
    os.environ |= GPU_ORDER
    return choose(requested)


@errors_of_user_code()
def _restored(
    source: Path,
    out: Path,
    codec: Codec,
    bit_depth: BitDepth,
    model: "Model",
    report: "Report",
    overwrite: bool,
) -> "Restored":
    from jobs.restoring.images import restore_folder, restore_image
    from jobs.restoring.video import restore_video

    if source.is_dir():
        return restore_folder(source, out, model, report, overwrite)
    if is_image(source.name):
        return restore_image(source, out, model, report, overwrite)
    return restore_video(source, out, model, report, codec, overwrite, bit_depth=bit_depth)


def _report() -> "Report":
    """A report to stderr. Ctrl-C stops the work without partial frames or images."""
    from jobs.core.events import NoLog
    from jobs.core.report import Report

    report = Report(NoLog())
    report.log.listeners.append(_print)
    report.stop_on(signal.SIGINT)
    report.stop_on(signal.SIGTERM)
    return report


def _print(event: "JobEvent") -> None:
    """Show a message, or how far the work is, on stderr."""
    if event["type"] == "message":
        click.echo(f"{_clear()}{event['text']}", err=True)
    if event["type"] == "progress":
        line_end = "" if sys.stderr.isatty() else "\n"
        click.echo(f"{_clear()}{progress(event)}{line_end}", err=True, nl=False)
        if line_end == "" and event["done"] == event["total"]:
            click.echo(err=True)


def _clear() -> str:
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def progress(fields: "Progress") -> str:
    """The progress as text: 120 of 250 frames, 41.3/s, 0:03 left"""
    total = f" of {fields['total']:,}" if fields["total"] else ""
    eta = fields["eta"]
    left = "" if eta is None else f", {int(eta) // 60}:{int(eta) % 60:02d} left"
    return f"{fields['done']:,}{total} {fields['unit']}, {fields['rate']:.1f}/s{left}"


def _summary(restored: "Restored") -> dict[str, Any]:
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
