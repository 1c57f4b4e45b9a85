"""The model that a process has at hand: read once, and anew where its snapshot is another one, or was written again."""

import os
from dataclasses import dataclass

import torch

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.networks import snapshots
from jobs.networks.device import choose_device
from models.build import GraphNetwork
from models.restorer import Restorer


@dataclass(frozen=True)
class Loaded:
    """A snapshot's network on its device, in eval, for images of so many channels (3 for RGB, or 1)."""

    snapshot: str
    restorer: Restorer
    channels: int
    device: torch.device


_kept: dict[tuple[str, int, int], Loaded] = {}
"""At most one, by its file, when that was written, and its size."""


def load(model: JobFolder, wanted: str) -> Loaded:
    """The snapshot of that name, "best" or "last", ready to restore. Raises JobError."""
    if not model.path.exists():
        raise JobError("The model was deleted. Choose another one.")
    name = snapshots.find(model, wanted)
    try:
        status = os.stat(snapshots.weights_of(model, name))
    except OSError as error:
        raise JobError(
            f"Snapshot {name} is not there any more: {error.strerror}. Choose another one."
        ) from error
    key = (f"{model.path}/{name}", status.st_mtime_ns, status.st_size)
    if key in _kept:
        return _kept[key]
    _kept.clear()  # Before the next one takes its place in memory.
    _, restorer, channels = snapshots.load(model, name)
    device = choose_device("auto")
    found = Loaded(name, restorer.to(device), channels, device)
    if isinstance(
        restorer.net, GraphNetwork
    ):  # Another one is of somebody's Python file, which may change meanwhile.
        _kept[key] = found
    return found
