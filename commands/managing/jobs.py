"""`clearframe jobs`: list, show, follow and change the jobs of a home or of a server."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from commands.common_options import home_option, server_option, wait_option
from commands.running.following import created, find_job, follow, place_of
from commands.running.progress import progress
from commands.running.refusals import refusals
from commands.running.results import (
    Results,
    json_option,
    print_json,
    summary_lines,
    table,
)
from jobs.core.types.fields import JobState, Kind

Command = Callable[..., Any]
SIDES = ("left", "top", "width", "height")

kind_option = click.option("--kind", type=click.Choice(get_args(Kind)), help="Only this kind.")


def _with_jobs(command: Command) -> Command:
    """JOB..., --home and --server: which jobs a command is for."""
    argument = click.argument("jobs", metavar="JOB...", nargs=-1, required=True)
    return argument(home_option()(server_option("Use the jobs")(command)))


@click.group()
def jobs() -> None:
    """List, show, follow, abort, resume, extend, pin and delete jobs. JOB is an id or a name."""


@jobs.command("list")
@kind_option
@click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs in this state.")
@click.option("--text", default="", help="Only jobs with this text in their names.")
@click.option("--limit", type=click.IntRange(1), help="At most this number. [default: all]")
@home_option()
@server_option("List the jobs")
@json_option
def list_jobs(
    kind: str | None,
    state: str | None,
    text: str,
    limit: int | None,
    home: Path,
    server: str | None,
    as_json: bool,
) -> None:
    """List jobs, newest first: id, kind, state, age and name."""
    with refusals():
        place = place_of(server, home)
        found = list(place.jobs(kind or "", state or "", text, limit))
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"No such job {place.where}.", err=True)
    else:
        now = time.time()
        table(
            [
                [job["id"], job["kind"], job["state"], _age(now - job["created"]), job["name"]]
                for job in found
            ]
        )


def _age(seconds: float) -> str:
    """The age in its largest unit: 5m, 3h, 12d."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


@jobs.command("show")
@click.argument("job")
@home_option()
@server_option("Show the job")
@json_option
def show_job(job: str, home: Path, server: str | None, as_json: bool) -> None:
    """Show the state, progress and results of a job."""
    with refusals():
        place = place_of(server, home)
        shown = place.job(find_job(place, job))
    if as_json:
        print_json(shown)
        return
    rows = [["id", shown["id"]], ["kind", shown["kind"]], ["name", shown["name"]]]
    rows.append(["state", shown["state"] + (f": {shown['reason']}" if shown["reason"] else "")])
    if shown["progress"] and shown["state"] == "running":
        rows.append(["progress", progress(shown["progress"])])
    lines = summary_lines({**shown, "state": "done"}, place.file)
    rows += [["result", line] for line in lines]
    table([*rows, ["place", place.address(shown["id"])]])


@jobs.command("log")
@click.argument("job")
@home_option()
@server_option("Show the log")
def show_log(job: str, home: Path, server: str | None) -> None:
    """Print the end of the output of a job's worker, at most 64 KiB."""
    with refusals():
        place = place_of(server, home)
        click.echo(place.log(find_job(place, job)), nl=False)


@jobs.command("abort")
@_with_jobs
def abort_jobs(jobs: tuple[str, ...], home: Path, server: str | None) -> None:
    """Abort jobs. Finished work is kept."""
    with refusals():
        place = place_of(server, home)
        for id in [find_job(place, job) for job in jobs]:
            place.abort(id)
            click.echo(id)


@jobs.command("delete")
@_with_jobs
def delete_jobs(jobs: tuple[str, ...], home: Path, server: str | None) -> None:
    """Delete jobs and their files."""
    with refusals():
        place = place_of(server, home)
        for id in [find_job(place, job) for job in jobs]:
            place.delete(id)
            click.echo(id)


@jobs.command("resume")
@click.argument("job")
@click.option("--snapshot", default="", help="Of a training: continue from this snapshot.")
@home_option()
@server_option("Resume the job")
@wait_option
@json_option
def resume_job(
    job: str, snapshot: str, home: Path, server: str | None, wait: bool, as_json: bool
) -> None:
    """Continue a job that failed or was aborted."""
    with refusals():
        place = place_of(server, home)
        id = find_job(place, job)
        since = place.job(id)["seq"]
        place.resume(id, snapshot)
        created(place, [id], Results(as_json), wait, since)


@jobs.command("extend")
@click.argument("job")
@click.option("--epochs", help="The new number of epochs.")
@click.option("--steps", help="The new number of optimizer steps.")
@click.option("--minutes", help="The new number of minutes.")
@home_option()
@server_option("Extend the training")
@wait_option
@json_option
def extend_job(
    job: str, home: Path, server: str | None, wait: bool, as_json: bool, **lengths: str | None
) -> None:
    """Train longer than planned: give the new total length in the unit of the plan."""
    given = {name: value for name, value in lengths.items() if value is not None}
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --epochs, --steps or --minutes.")
    with refusals():
        place = place_of(server, home)
        id = find_job(place, job, "model")
        since = place.job(id)["seq"]
        place.extend(id, given)
        created(place, [id], Results(as_json), wait, since)


@jobs.command("wait")
@_with_jobs
@json_option
def wait_for_jobs(jobs: tuple[str, ...], home: Path, server: str | None, as_json: bool) -> None:
    """Show the progress of jobs until they end, and then their results.

    The exit status is 1 if a job fails or is aborted. Ctrl-C leaves the jobs as they are.
    """
    with refusals(), Results(as_json, len(jobs) > 1) as results:
        place = place_of(server, home)
        follow(place, [find_job(place, job) for job in jobs], results, owns=False)


@jobs.command("pins")
@click.argument("model")
@home_option()
@server_option("Show the pins")
@json_option
def list_pins(model: str, home: Path, server: str | None, as_json: bool) -> None:
    """Show the validation pairs that are pinned to a training: index, pair and region."""
    with refusals():
        place = place_of(server, home)
        pinned = place.pinned(find_job(place, model, "model"))
    if as_json:
        print_json(pinned)
    for sample in () if as_json else pinned:
        click.echo(f"{sample['index']}  pair {sample['pair']}  {_region(sample['region'])}")


def _region(region: Any) -> str:
    if region is None:
        return "whole frame"
    return f"{region['width']}x{region['height']} at {region['left']},{region['top']}"


@jobs.command("pin")
@click.argument("model")
@click.option("--pair", type=click.IntRange(0), required=True, help="Number of the pair, from 0.")
@click.option(
    "--region",
    metavar="LEFT,TOP,WIDTH,HEIGHT",
    help="Only this part of the frame, in pixels. [default: the whole frame]",
)
@home_option()
@server_option("Pin it")
@json_option
def pin_pair(
    model: str, pair: int, region: str | None, home: Path, server: str | None, as_json: bool
) -> None:
    """Pin a validation pair to a training, which shows it from its next validation on.

    The output is the index of the pin.
    """
    part = None if region is None else _parsed_region(region)
    with refusals():
        place = place_of(server, home)
        pinned = place.pin(find_job(place, model, "model"), pair, part)
    if as_json:
        print_json(pinned)
    else:
        click.echo(pinned["index"])


def _parsed_region(text: str) -> dict[str, int]:
    parts = text.replace(" ", "").split(",")
    if len(parts) != len(SIDES) or not all(part.isdecimal() for part in parts):
        raise click.UsageError(f"--region: {text} is not {', '.join(SIDES)}, such as 64,0,128,128.")
    return dict(zip(SIDES, map(int, parts), strict=True))


@jobs.command("unpin")
@click.argument("model")
@click.argument("index", type=click.IntRange(0))
@home_option()
@server_option("Unpin it")
def unpin_pair(model: str, index: int, home: Path, server: str | None) -> None:
    """Unpin the pair with this index: later validations do not show it."""
    with refusals():
        place = place_of(server, home)
        place.unpin(find_job(place, model, "model"), index)
