"""`clearframe doctor`: a check of this machine for devices, codecs, disk and limits."""

import fcntl
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import click
import psutil
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from commands.running.results import json_option, print_json
from jobs.core.errors import JobError

GIB = 2**30
MIN_FREE = 5 * GIB
MIN_FILES = 1024
COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


class Finding(NamedTuple):
    """A result of the check.

    `level`: "ok", "note" (works with limits), "missing" (does not work).
    """

    level: str
    subject: str
    text: str


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
    help="Check this home folder.",
)
@json_option
def doctor(home: Path, as_json: bool) -> None:
    """Check devices, codecs, disk and limits. Exit with status 1 if anything is missing."""
    findings = [
        *_machine(),
        *_devices(),
        *_codecs(),
        *_disk(home.absolute()),
        *_database(),
        *_limits(),
    ]
    if as_json:
        print_json([finding._asdict() for finding in findings])
    for level, subject, text in () if as_json else findings:
        click.echo(click.style(level.ljust(8), fg=COLOURS[level]) + subject.ljust(12) + text)
    if any(level == "missing" for level, _, _ in findings):
        raise SystemExit(1)


def _machine() -> Iterator[Finding]:
    yield Finding(
        "ok",
        "Clearframe",
        f"{version('clearframe')} on Python {platform.python_version()}, {platform.platform()}",
    )
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    yield Finding(
        "ok",
        "Processor",
        f"{cores} cores, {memory.total / GIB:.1f} GiB of memory, {memory.available / GIB:.1f} free",
    )


def _devices() -> Iterator[Finding]:
    import torch

    from app.runner import gpus

    try:
        in_driver = len(gpus.names())
    except JobError as error:
        yield Finding("missing", "GPU", str(error))
        return
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if usable:
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(usable))
        yield Finding(
            "ok", "GPU", f"{names}; PyTorch {torch.__version__} with CUDA {torch.version.cuda}"
        )
    elif in_driver:
        yield Finding(
            "note",
            "GPU",
            f"The driver reports {in_driver}, but PyTorch {torch.__version__} can use none. "
            "Install a PyTorch build for the CUDA version of the driver.",
        )
    else:
        yield Finding("note", "GPU", f"None: PyTorch {torch.__version__} trains on the CPU.")


def _codecs() -> Iterator[Finding]:
    import av

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}"
        for name, number in sorted(av.library_versions.items())[:1]
    )
    for name, mode, consequence in (
        ("h264", "r", "Clearframe cannot decode H.264 streams."),
        (
            "libx264",
            "w",
            "Clearframe cannot compress originals or write restored videos as H.264.",
        ),
        ("libx265", "w", "Clearframe cannot write restored videos as HEVC."),
        ("ffv1", "w", "Clearframe cannot write lossless videos."),
    ):
        available = name in av.codecs_available
        role = "decoder" if mode == "r" else "encoder"
        yield Finding(
            "ok" if available else "missing",
            "Codec",
            f"{name} ({role}), PyAV {av.__version__}, {libraries}"
            if available
            else f"{name}: {consequence}",
        )


def _disk(home: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        yield Finding(
            "missing",
            "Home",
            f"{home}: cannot create and lock a file in {existing}: {error.strerror}",
        )
        return
    free = shutil.disk_usage(existing).free
    text = f"{home}: {free / GIB:.1f} GiB free"
    yield (
        Finding("ok", "Home", text)
        if free > MIN_FREE
        else Finding("note", "Home", f"{text}: too little for large datasets")
    )


def _database() -> Iterator[Finding]:
    url = os.environ.get("CLEARFRAME_DATABASE_URL")
    if not url:
        yield Finding("ok", "Database", "SQLite in the home")
        return
    try:
        engine = create_engine(url)
        with engine.connect():
            yield Finding("ok", "Database", engine.url.render_as_string())
    except (SQLAlchemyError, ImportError) as error:
        yield Finding(
            "missing",
            "Database",
            f"Cannot connect to CLEARFRAME_DATABASE_URL: {str(error).splitlines()[0]}",
        )


def _limits() -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    enough = files >= MIN_FILES
    yield Finding(
        "ok" if enough else "note",
        "Open files",
        f"{files}" + ("" if enough else ": each open page uses a file. Raise ulimit -n."),
    )
    memory = resource.getrlimit(resource.RLIMIT_AS)[0]
    if memory != resource.RLIM_INFINITY:
        yield Finding(
            "note", "Memory", f"Limited to {memory / GIB:.1f} GiB per process (ulimit -v)"
        )
