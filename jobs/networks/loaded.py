"""Cache for the network of a process, a snapshot or a starter.

It reloads if the file is another or has changed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.networks import snapshots, starters
from jobs.networks.device import choose_device
from jobs.networks.from_spec import STARTERS
from jobs.specs import AnyTest, SplitTest
from models.build import GraphNetwork
from models.restorer import Restorer


@dataclass(frozen=True)
class Loaded:
    """A network on its device in eval mode. `channels` is 3 for RGB images, else 1.

    `snapshot`: the name of the snapshot or of the starter.
    """

    snapshot: str
    restorer: Restorer
    channels: int
    device: torch.device


_cache: dict[tuple[str, int, int], Loaded] = {}
"""At most one entry. The key is the file's path, modification time (ns) and size in bytes."""


def load_tested(folder: JobFolder, spec: AnyTest, snapshot: str = "") -> Loaded:
    """Return the network of the test in `folder`: its starter, or the snapshot of its model.

    `snapshot`: use this one instead of the spec's. Raises JobError.
    """
    if spec.starter is not None:
        name, file = spec.starter, STARTERS / f"{spec.starter}.safetensors"
        return _cached(name, file, lambda: starters.load(name))
    assert spec.model is not None
    loaded = load(folder.sibling(spec.model), snapshot or spec.snapshot)
    if not isinstance(spec, SplitTest) and spec.qp is not None and not loaded.restorer.takes_qp:
        raise JobError("This model does not take the QP. Leave the QP to assume out.")
    return loaded


def load(model: JobFolder, requested: str) -> Loaded:
    """Return the snapshot with that name, "best" or "last", ready to restore. Raises JobError."""
    if not model.path.exists():
        raise JobError("The model was deleted. Choose another model.")
    name = snapshots.find(model, requested)
    return _cached(name, snapshots.weights_of(model, name), lambda: snapshots.load(model, name)[1:])


def _cached(name: str, file: Path, load_file: Callable[[], tuple[Restorer, int]]) -> Loaded:
    try:
        status = os.stat(file)
    except OSError as error:
        raise JobError(
            f"Snapshot {name} cannot be read: {error.strerror}. Choose another snapshot."
        ) from error
    key = (str(file), status.st_mtime_ns, status.st_size)
    if key in _cache:
        return _cache[key]
    _cache.clear()  # Free the memory before loading the next snapshot.
    restorer, channels = load_file()
    device = choose_device("auto")
    loaded = Loaded(name, restorer.to(device), channels, device)
    # Do not cache other networks: they come from Python files or packages, which may change.
    if isinstance(restorer.net, GraphNetwork):
        _cache[key] = loaded
    return loaded
