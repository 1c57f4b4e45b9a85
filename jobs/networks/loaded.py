"""Cache for the model of a process. It reloads if the snapshot is another or its file changed."""

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
    """A snapshot's network on its device in eval mode. `channels` is 3 for RGB images, else 1."""

    snapshot: str
    restorer: Restorer
    channels: int
    device: torch.device


_cache: dict[tuple[str, int, int], Loaded] = {}
"""At most one entry. The key is the snapshot's path, modification time (ns) and size in bytes."""


def load(model: JobFolder, requested: str) -> Loaded:
    """Return the snapshot with that name, "best" or "last", ready to restore. Raises JobError."""
    if not model.path.exists():
        raise JobError("The model was deleted. Choose another model.")
    name = snapshots.find(model, requested)
    try:
        status = os.stat(snapshots.weights_of(model, name))
    except OSError as error:
        raise JobError(
            f"Snapshot {name} cannot be read: {error.strerror}. Choose another snapshot."
        ) from error
    key = (f"{model.path}/{name}", status.st_mtime_ns, status.st_size)
    if key in _cache:
        return _cache[key]
    _cache.clear()  # Free the memory before loading the next snapshot.
    _, restorer, channels = snapshots.load(model, name)
    device = choose_device("auto")
    loaded = Loaded(name, restorer.to(device), channels, device)
    # Do not cache other networks: they come from Python files or packages, which may change.
    if isinstance(restorer.net, GraphNetwork):
        _cache[key] = loaded
    return loaded
