"""Write a snapshot as a file for other programs.

`python -m jobs.networks.export` reads {"folder", "snapshot", "format"} as JSON and prints {"file", "snapshot",
"size", "difference", "checked_with", "seconds"}, or {"error"} with a sentence.

A process of its own: the server has no torch, and what traces a network may take its time, its memory, and fail. Each file is
run beside torch before it gets its name, so that one that can be seen was right.
"""

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jobs.core.disk import sync
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.networks import snapshots
from jobs.networks.export_formats import FORMATS, Format
from jobs.specs import ModelSpec
from jobs.specs.export import ENDINGS, ExportFormat
from jobs.specs.networks import Network, PythonFile
from models.restorer import Restorer

TRACED = (2, 48, 64)
"""(N, H, W) of the image that a network is traced with."""
CHECKED = (1, 77, 101)
"""Those of the image that its file is checked with: every one is another, and the sides are odd."""
TOLERANCE = 1e-4
"""How far a file's output may be from torch's: a fortieth of a grey level."""

Answer = dict[str, Any]


def export(folder: JobFolder, wanted: str, format: ExportFormat) -> Answer:
    """Write the snapshot ("best", "last" or its name are wanted) to `exports/`, once it restores what torch does.

    Raises JobError."""
    began = time.monotonic()
    if not folder.path.exists():
        raise JobError("The model was deleted. Choose another one.")
    training = folder.spec()
    assert isinstance(training, ModelSpec)
    _check_may_run(training.network)
    snapshot, restorer, channels = snapshots.load(folder, wanted)
    restorer.requires_grad_(False)
    about = {
        "model": str(folder.read()["name"]),
        "snapshot": snapshot,
        "channels": restorer.channels,
        "image_channels": str(channels),
        "range": f"float32 (N, {channels}, H, W) in 0..1, {'RGB' if channels == 3 else 'gray'}; the output is not clipped",
        "clearframe": version("clearframe"),
    }
    content = _made(format, restorer, channels, about)
    folder.exports.mkdir(exist_ok=True)
    path = folder.exports / f"{snapshot}{ENDINGS[format]}"
    with _alone_in(folder.exports):
        difference = _write(path, content, FORMATS[format], restorer, channels)
    checker = FORMATS[format].checker
    return {
        "file": str(path.relative_to(folder.path)),
        "snapshot": snapshot,
        "size": len(content),
        "difference": difference,
        "checked_with": f"{checker} {version(checker)}",
        "seconds": time.monotonic() - began,
    }


def _check_may_run(network: Network) -> None:
    if isinstance(network, PythonFile) and not os.environ.get(USER_CODE):
        raise JobError(
            "The network is made by the code of a Python file, which is run for an export only where that is allowed: "
            "start the server, or the command, with --allow-user-code."
        )


def _made(format: ExportFormat, restorer: Restorer, channels: int, about: dict[str, str]) -> bytes:
    try:
        return FORMATS[format].make(restorer, image(TRACED, channels), about)
    except RuntimeError as error:
        raise JobError(
            f"The network cannot be written as {format} for images of every size: {_first_lines(error)} Choose another format."
        ) from error


@contextmanager
def _alone_in(exports: Path) -> Iterator[None]:
    """One process at a time writes there: another one waits for its turn."""
    with (exports / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, content: bytes, format: Format, restorer: Restorer, channels: int) -> float:
    """Write the file under another name, check it, and let it take its own; returns the difference to torch.

    What a process that was killed has left is overwritten by the next one."""
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(content)
        sync(draft)
        difference = _difference(draft, format, restorer, image(CHECKED, channels))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
    return difference


def _difference(draft: Path, format: Format, restorer: Restorer, seen: Tensor) -> float:
    """The largest between what the file and what torch make of an image. Raises JobError for too large a one."""
    expected = restorer(seen)
    try:
        restored = format.run(draft, seen)
    except RuntimeError as error:
        raise JobError(
            f"The file that was written cannot be run with {format.checker} on an image of {_size(seen)}: {_first_lines(error)} "
            "It was removed: choose another format."
        ) from error
    if restored.shape != expected.shape:
        raise JobError(
            f"The file that was written makes {tuple(restored.shape)} of an image of {tuple(seen.shape)}. It was removed. "
            "The network must not depend on the size of the image it was traced with: choose another format."
        )
    difference = float((restored - expected).abs().max())
    if not difference <= TOLERANCE:
        raise JobError(
            f"The file that was written differs from torch by {difference:.2g} on an image of {_size(seen)} "
            f"(in 0 to 1; at most {TOLERANCE:g} is allowed). It was removed: choose another format."
        )
    return difference


def image(size: tuple[int, int, int], channels: int) -> Tensor:
    """The same picture for the same size (N, H, W), float32 in 0 to 1: a slope with noise on it."""
    number, height, width = size
    noise = torch.rand(number, channels, height, width, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(0, 1, height)[:, None] * torch.linspace(1, 0, width)
    return 0.7 * slope + 0.3 * noise


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"


def _first_lines(error: BaseException) -> str:
    """What torch says at the beginning: it goes on with stacks and advice. Of several errors, the one that led to the others."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = " ".join(lines[:3])[:400].rstrip(".") or type(error).__name__
    return f"{words}."


def main() -> None:
    """Nothing but the answer may come to stdout: what torch and a user's code print there goes to stderr."""
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)
        asked = json.load(sys.stdin)
        try:
            answer = export(JobFolder(Path(asked["folder"])), asked["snapshot"], asked["format"])
        except JobError as error:
            answer = {"error": str(error)}
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            answer = {"error": "The disk is full. Make room, then export again."}
        json.dump(answer, stdout, allow_nan=False)


if __name__ == "__main__":
    main()
