"""Export of a snapshot to a file for other programs.

`python -m jobs.networks.export` reads {"folder", "snapshot", "format", "licence"} as JSON and
prints {"file", "card", "snapshot", "size", "difference", "checked_with", "seconds"}, or {"error"}
with a message.

It is a separate process: the server does not import torch, and tracing a network can take time
and memory, and can fail. Before a file gets its final name, its output is compared with torch's.
"""

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

from jobs.core import limits
from jobs.core.durable_files import sync, write_whole
from jobs.core.errors import JobError, disk_full, is_disk_full
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.networks import snapshots
from jobs.networks.card import model_card
from jobs.networks.export_formats import FORMATS, Format
from jobs.networks.user_code import errors_of_user_code
from jobs.specs import ModelSpec
from jobs.specs.export import CARD, EXTENSIONS, ExportFormat
from jobs.specs.networks import Network, PythonFile
from models.restorer import Restorer

TRACED = (2, 48, 64)
"""(N, H, W) of the image that a network is traced with."""
CHECKED = (1, 77, 101)
"""(N, H, W) of the image that the file is checked with: all differ from TRACED, odd sides."""
TOLERANCE = 1e-4
"""Maximum difference between the outputs of a file and torch: a fortieth of a grey level."""

Answer = dict[str, Any]


@errors_of_user_code()
def export(folder: JobFolder, requested: str, format: ExportFormat, licence: str = "") -> Answer:
    """Write the requested snapshot ("best", "last" or a name) to `exports/` and check the file.

    Its model card is next to it. Raises JobError.
    """
    began = time.monotonic()
    if not folder.path.exists():
        raise JobError("The model was deleted. Choose another model.")
    training = folder.spec()
    assert isinstance(training, ModelSpec)
    _check_may_run(training.network)
    snapshot, restorer, channels = snapshots.load(folder, requested)
    restorer.requires_grad_(False)
    planes = channels + restorer.takes_qp
    about = {
        "model": str(folder.read()["name"]),
        "snapshot": snapshot,
        "channels": restorer.channels,
        "image_channels": str(channels),
        "range": f"float32 (N, {planes}, H, W) in 0..1, {'RGB' if channels == 3 else 'gray'}"
        f"{', then QP / 51, 0 where it is unknown' * restorer.takes_qp}; "
        "the output is not clipped",
        "clearframe": version("clearframe"),
    }
    content = _content(format, restorer, planes, about)
    folder.exports.mkdir(exist_ok=True)
    path = folder.exports / f"{snapshot}{EXTENSIONS[format]}"
    with _locked(folder.exports):
        difference = _write(path, content, FORMATS[format], restorer, planes)
        card = path.with_name(f"{path.name}.{CARD}")
        row = snapshots.row_of(folder, snapshot)
        text = model_card(folder, row, restorer, channels, path, format, licence)
        write_whole(card, text, durable=True)
    checker = FORMATS[format].checker
    return {
        "file": str(path.relative_to(folder.path)),
        "card": str(card.relative_to(folder.path)),
        "snapshot": snapshot,
        "size": len(content),
        "difference": difference,
        "checked_with": f"{checker} {version(checker)}",
        "seconds": time.monotonic() - began,
    }


def _check_may_run(network: Network) -> None:
    if isinstance(network, PythonFile) and not os.environ.get(USER_CODE):
        raise JobError(
            "The network is defined in a Python file, and running user code is not allowed. "
            "Start the server or the command with --allow-user-code."
        )


def _content(format: ExportFormat, restorer: Restorer, planes: int, about: dict[str, str]) -> bytes:
    try:
        return FORMATS[format].make(restorer, image(TRACED, planes), about)
    except RuntimeError as error:
        raise JobError(
            f"The network cannot be exported as {format} for images of any size: "
            f"{_first_lines(error)} Choose another format."
        ) from error


@contextmanager
def _locked(exports: Path) -> Iterator[None]:
    """Hold the lock of the exports folder: only one process at a time writes there."""
    with (exports / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, content: bytes, format: Format, restorer: Restorer, planes: int) -> float:
    """Write the file under a temporary name, check it, rename it; return the difference from torch.

    Overwrites the temporary file of a killed process.
    """
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(content)
        sync(draft)
        difference = _difference(draft, format, restorer, image(CHECKED, planes))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
    return difference


def _difference(draft: Path, format: Format, restorer: Restorer, image: Tensor) -> float:
    """Return the largest difference between the outputs of the file and torch for an image.

    Raises JobError if it exceeds TOLERANCE.
    """
    expected = restorer(image)
    try:
        restored = format.run(draft, image, restorer)
    except RuntimeError as error:
        raise JobError(
            f"{format.checker} cannot run the exported file on an image of {_size(image)}: "
            f"{_first_lines(error)} The file was removed. Choose another format."
        ) from error
    if restored.shape != expected.shape:
        raise JobError(
            f"The exported file returns {tuple(restored.shape)} for an image of "
            f"{tuple(image.shape)}: it depends on the size of the traced image. "
            "The file was removed. Choose another format."
        )
    difference = float((restored - expected).abs().max())
    if not difference <= TOLERANCE:
        raise JobError(
            f"The exported file differs from torch by {difference:.2g} "
            f"on an image of {_size(image)} (values 0 to 1, tolerance {TOLERANCE:g}). "
            "The file was removed. Choose another format."
        )
    return difference


def image(size: tuple[int, int, int], planes: int) -> Tensor:
    """Return a fixed test image of a size (N, H, W), float32 in 0 to 1: a gradient with noise."""
    count, height, width = size
    noise = torch.rand(count, planes, height, width, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(0, 1, height)[:, None] * torch.linspace(1, 0, width)
    return 0.7 * slope + 0.3 * noise


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}×{image.shape[-2]}"


def _first_lines(error: BaseException) -> str:
    """Return the first lines of torch's message, without the stack traces and advice after them.

    Uses the root cause of a chain of errors.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:3])[:400].rstrip(".") or type(error).__name__
    return f"{text}."


def main() -> None:
    """Answer a request on stdin. Prints of torch and user code go to stderr, not to stdout."""
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)
        limits.limit_memory(computes=False)  # It leaves the GPUs to trainings.
        request = json.load(sys.stdin)
        try:
            answer = export(
                JobFolder(Path(request["folder"])),
                request["snapshot"],
                request["format"],
                request.get("licence", ""),
            )
        except JobError as error:
            answer = {"error": str(error)}
        except OSError as error:
            if not is_disk_full(error):
                raise
            answer = {"error": disk_full("export again")}
        json.dump(answer, stdout, allow_nan=False)


if __name__ == "__main__":
    main()
