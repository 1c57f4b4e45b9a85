"""`clearframe restore`: local restoration of a video, a stream, an image or a folder of images."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from commands.common_options import home_option, server_option, user_code_option
from commands.restoring.on_server import restore_there
from commands.restoring.options import Options
from commands.restoring.targets import Target, targets
from commands.running.following import find_job
from commands.running.here import Here
from commands.running.progress import ProgressLine
from commands.running.refusals import Interrupted, refusals
from commands.running.results import Results, json_option, print_json
from commands.running.there import There
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.core.processes import GPU_ORDER, perform_as_workers
from jobs.core.suffixes import is_image
from jobs.networks.user_code import errors_of_user_code
from jobs.restoring.output_file import check_video
from jobs.specs.networks import Starter

if TYPE_CHECKING:
    from jobs.core.report import Report
    from jobs.restoring.network import Model
    from jobs.restoring.video import Restored

MIB = 2**20
PIPE = Path("-")


@click.command()
@click.argument(
    "paths", metavar="IN... OUT", nargs=-1, required=True, type=click.Path(path_type=Path)
)
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
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@server_option("Restore")
@json_option
@user_code_option()
def restore(
    paths: tuple[Path, ...],
    server: str | None,
    as_json: bool,
    allow_user_code: bool,
    **options: Any,
) -> None:
    """Restore a video, an H.264 stream, an image or a folder of images.

    Several inputs, or a folder of videos, need a folder as OUT. With - for IN and OUT, y4m
    comes from the standard input and goes to the standard output, in a pipeline of ffmpeg.

    Without --model, a network of the package restores, a starter: no training is needed.

    Keep times, aspect ratio, rotation, colour signalling and sound of a video. Choose the
    container by OUT's extension.
    """
    *sources, out = paths
    if not sources:
        raise click.UsageError("Give at least one IN, and OUT.")
    if allow_user_code:
        os.environ[USER_CODE] = "1"
    chosen = Options(**options)
    if PIPE in paths:
        if paths != (PIPE, PIPE) or server or as_json:
            raise click.UsageError("- is for IN and OUT together, without --server and --json.")
        _restore_pipe(chosen)
        return
    found = targets(sources, out, chosen.codec, as_files=bool(server))
    if server:
        _restore_there(There(server), found, chosen, as_json)
    else:
        _restore_here(found, chosen, as_json)


def _restore_there(place: There, found: list[Target], options: Options, as_json: bool) -> None:
    if options.memory is not None or options.device != "auto":
        raise click.UsageError("--memory and --device are for this machine only.")
    with refusals(), Results(as_json, len(found) > 1) as results:
        restore_there(place, found, options, results)


def _restore_here(found: list[Target], options: Options, as_json: bool) -> None:
    done = []
    with refusals():
        folder = _folder(options)
        for source, target in found:
            if not (source.is_dir() or is_image(source.name)):
                # Fail before torch is loaded, which takes seconds.
                check_video(source, target, options.codec, options.overwrite)
        model, report = _model(folder, options), _report()
        for source, target in found:
            done.append(_restored(source, target, options, model, report))
            if not as_json:
                click.echo(_line(done[-1]))
            if done[-1].why:
                break
    if as_json:
        summaries = [_summary(restored) for restored in done]
        print_json(summaries if len(found) > 1 else summaries[0])
    _fail_if_incomplete(done[-1], report)


def _restore_pipe(options: Options) -> None:
    from commands.restoring.pipe import restore_pipe

    with refusals():
        model, report = _model(_folder(options), options), _report()
        restored = restore_pipe(sys.stdin.buffer, sys.stdout.buffer, model, report)
    click.echo(_line(restored), err=True)
    _fail_if_incomplete(restored, report)


def _fail_if_incomplete(restored: "Restored", report: "Report") -> None:
    if restored.why:
        kind = Interrupted if report.stopping else click.ClickException
        raise kind(f"{restored.why} {restored.out} contains the restored part.")


def _line(restored: "Restored") -> str:
    return (
        f"{restored.out}: {restored.frames:,} of {restored.width}×{restored.height} in "
        f"{restored.seconds:.1f} s, {restored.frames_per_second:.1f}/s"
    )


def _folder(options: Options) -> JobFolder | None:
    """The folder of the requested model; None for a starter. Raises ClickException."""
    if not options.model_id:
        return None
    home = options.home.resolve()
    model_id = find_job(Here(home), options.model_id, "model")
    folder = JobFolder(home / "jobs" / model_id)
    if not (folder.path / "job.json").is_file() or folder.read()["kind"] != "model":
        raise click.ClickException(f"No model {model_id} in {home}. Set --home.")
    return folder


def _model(folder: JobFolder | None, options: Options) -> "Model":
    """The model of a folder, or the starter if there is no folder. Raises JobError."""
    perform_as_workers()
    from jobs.networks import snapshots, starters
    from jobs.networks.device import choose_device
    from jobs.restoring.network import Model
    from models.memory import free_memory
    from models.tiles import device_of

    if folder is None:
        restorer, channels = starters.load(options.starter)
    else:
        _, restorer, channels = snapshots.load(folder, options.snapshot)
    if options.qp is not None and not restorer.takes_qp:
        raise JobError("--qp: This model does not take the QP. Leave the option out.")
    restorer = restorer.to(_device(options.device, choose_device))
    memory = options.memory * MIB if options.memory else free_memory(device_of(restorer))
    return Model(restorer, channels, memory, options.qp)


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
    source: Path, out: Path, options: Options, model: "Model", report: "Report"
) -> "Restored":
    from jobs.restoring.images import restore_folder, restore_image
    from jobs.restoring.video import restore_video

    codec, depth, overwrite = options.codec, options.bit_depth, options.overwrite
    if source.is_dir():
        return restore_folder(source, out, model, report, overwrite)
    if is_image(source.name):
        return restore_image(source, out, model, report, overwrite)
    return restore_video(source, out, model, report, codec, overwrite, bit_depth=depth)


def _report() -> "Report":
    """A report to stderr. Ctrl-C stops the work without partial frames or images."""
    from jobs.core.events import NoLog
    from jobs.core.report import Report

    report = Report(NoLog())
    report.log.listeners.append(ProgressLine().show)
    report.stop_on(signal.SIGINT)
    report.stop_on(signal.SIGTERM)
    return report


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
