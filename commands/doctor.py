"""`clearframe doctor`: what was found on this machine, and what is missing."""

import fcntl
import os
import platform
import resource
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import click
import psutil
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

GIB = 2**30
LEAST_FREE = 5 * GIB
LEAST_FILES = 1024
COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


class Finding(NamedTuple):
    """`level`: "ok", "note" for what works less well, "missing" for what does not work at all."""

    level: str
    about: str
    words: str


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path("data"),
    envvar="CLEARFRAME_HOME",
    show_default=True,
    help="Of the server.",
)
def doctor(home: Path) -> None:
    """Say what devices, codecs, disk and limits were found; ends with 1 where something is missing."""
    found = [
        *_machine(),
        *_devices(),
        *_codecs(),
        *_disk(home.absolute()),
        *_database(),
        *_limits(),
    ]
    for level, about, words in found:
        click.echo(click.style(level.ljust(8), fg=COLOURS[level]) + about.ljust(12) + words)
    if any(level == "missing" for level, _, _ in found):
        raise SystemExit(1)


def _machine() -> Iterator[Finding]:
    yield Finding(
        "ok",
        "Clearframe",
        f"{version('clearframe')} on Python {platform.python_version()}, {platform.platform()}",
    )
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0))
    yield Finding(
        "ok",
        "Processor",
        f"{cores} cores, {memory.total / GIB:.1f} GiB of memory, {memory.available / GIB:.1f} free",
    )


def _devices() -> Iterator[Finding]:
    import torch

    from app.runner import gpus

    seen = len(gpus.names())
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if usable:
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(usable))
        yield Finding(
            "ok", "GPU", f"{names}; PyTorch {torch.__version__} with CUDA {torch.version.cuda}"
        )
    elif seen:
        yield Finding(
            "note",
            "GPU",
            f"The driver has {seen}, but PyTorch {torch.__version__} can use none: it was built without, or for another CUDA.",
        )
    else:
        yield Finding("note", "GPU", f"None: PyTorch {torch.__version__} trains on the processor.")


def _codecs() -> Iterator[Finding]:
    import av

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}"
        for name, number in sorted(av.library_versions.items())[:1]
    )
    for name, mode, what in (
        ("h264", "r", "H.264 streams cannot be read."),
        (
            "libx264",
            "w",
            "Originals cannot be compressed here, and restored videos not be written as H.264.",
        ),
        ("ffv1", "w", "Restored videos cannot be written without loss."),
    ):
        there = name in av.codecs_available
        yield Finding(
            "ok" if there else "missing",
            "Codec",
            f"{name} ({'decoder' if mode == 'r' else 'encoder'}), PyAV {av.__version__}, {libraries}"
            if there
            else f"{name}: {what}",
        )


def _disk(home: Path) -> Iterator[Finding]:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        yield Finding(
            "missing",
            "Home",
            f"{home}: no file can be made and locked in {place}: {error.strerror}",
        )
        return
    free = shutil.disk_usage(place).free
    words = f"{home}: {free / GIB:.1f} GiB free"
    yield (
        Finding("ok", "Home", words)
        if free > LEAST_FREE
        else Finding("note", "Home", f"{words}: too little for large datasets")
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
            f"CLEARFRAME_DATABASE_URL does not lead to one: {str(error).splitlines()[0]}",
        )


def _limits() -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    enough = files >= LEAST_FILES
    yield Finding(
        "ok" if enough else "note",
        "Open files",
        f"{files}" + ("" if enough else ": each page that is open takes one"),
    )
    memory = resource.getrlimit(resource.RLIMIT_AS)[0]
    if memory != resource.RLIM_INFINITY:
        yield Finding("note", "Memory", f"Limited to {memory / GIB:.1f} GiB a process (ulimit -v)")
