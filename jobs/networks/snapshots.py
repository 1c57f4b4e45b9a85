"""Snapshots of a training: the weights as safetensors, and the state that a resumed run needs.

Each file is complete or absent: it is written under a temporary name, synced and renamed. The
weights are written last, so the state of each visible snapshot exists.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast
from zipfile import BadZipFile, ZipFile

import safetensors.torch
import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from jobs.core.durable_files import write_whole
from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.types.summaries import Snapshot, View
from jobs.core.view import best_of, empty, fold, leader_of
from jobs.networks.from_spec import make_network
from jobs.specs.networks import Network
from models.build import GraphNetwork
from models.restorer import Channels, Restorer, channels_seen

State = dict[str, Any]
"""The state in the .state.pt file of a snapshot: tensors, numbers, lists and dicts only."""


DAMAGE = (
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
    zlib.error,
)
"""Errors of zipfile and torch.load for a file with changed or missing bytes."""


@dataclass(frozen=True)
class Kind:
    """The settings required to use weights: network, colour channels it sees, image channels."""

    network: Network
    channels: Channels
    of_image: int

    @property
    def channels_seen(self) -> int:
        """The number of channels that the network sees."""
        return channels_seen(self.channels, self.of_image)

    def restorer(self, mean: Tensor | None = None, signed: bool = False) -> Restorer:
        """Build the restorer. `signed`: initialise for inputs that include values below zero."""
        net = make_network(self.network, self.channels_seen, signed)
        return Restorer(net, self.channels, mean)


def name_of(step: int, steps_an_epoch: int) -> str:
    """Return the name of a snapshot: epoch-0012 at the end of an epoch, else step-001234."""
    epoch, rest = divmod(step, steps_an_epoch)
    return f"step-{step:06d}" if rest else f"epoch-{epoch:04d}"


def save(folder: JobFolder, name: str, kind: Kind, restorer: Restorer, state: State) -> int:
    """Write a snapshot of the restorer's weights, which tests use; return their size in bytes."""
    folder.snapshots.mkdir(exist_ok=True)
    # A run that resumed from an earlier snapshot writes this name again, with other weights.
    for stale in folder.exports.glob(f"{name}.*"):
        stale.unlink()
    # Files are not written by torch or safetensors, which hide the errno of a full disk.
    packed = io.BytesIO()
    torch.save(state, packed)
    write_whole(_state(folder, name), packed.getbuffer(), durable=True)
    write_whole(weights_of(folder, name), packed_weights(kind, restorer), durable=True)
    return weights_of(folder, name).stat().st_size


def packed_weights(kind: Kind, restorer: Restorer) -> bytes:
    """Return the content of a file that `read_file` reads."""
    mean = None if restorer.mean is None else restorer.mean.tolist()
    metadata = {
        "network": kind.network.model_dump_json(),
        "channels": kind.channels,
        "of_image": str(kind.of_image),
        "mean": json.dumps(mean),
    }
    return safetensors.torch.save(single_tensors(restorer.net), metadata)


def single_tensors(net: nn.Module) -> dict[str, Tensor]:
    """The weights by name. Copies, because safetensors refuses tensors that layers share."""
    return {
        key: value.cpu().clone(memory_format=torch.contiguous_format)
        for key, value in net.state_dict().items()
    }


def remove(folder: JobFolder, names: Iterable[str]) -> None:
    for name in names:
        weights_of(folder, name).unlink(missing_ok=True)
        _state(folder, name).unlink(missing_ok=True)


def to_resume(folder: JobFolder, requested: str = "") -> State | None:
    """Return the state of the requested snapshot, else of the last snapshot in the log, else None.

    Raises JobError.
    """
    last = _view(folder)["summary"].get("last")
    name = requested or (last["snapshot"] if last else "")
    return _read_state(folder, name) if name else None


def _read_state(folder: JobFolder, name: str) -> State:
    path = _state(folder, name)
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not compare the checksums.
        if damaged:
            raise BadZipFile(f"the checksum of {damaged} differs")
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise JobError(
            f"Snapshot {name} cannot be resumed from, because {path.name} is damaged or missing: "
            f"{str(error).rstrip('.')}. Resume from another snapshot."
        ) from error
    return state


def load(model: JobFolder, requested: str) -> tuple[str, Restorer, int]:
    """Return the name of a snapshot, its restorer in eval mode, and its number of image channels.

    `requested` is "best", "last" or a name. Raises JobError.
    """
    name = find(model, requested)
    kind, mean, weights = read_weights(model, name)
    return name, restorer_of(kind, mean, weights, name), kind.of_image


def restorer_of(kind: Kind, mean: Tensor | None, weights: dict[str, Tensor], name: str) -> Restorer:
    """Return the restorer with these weights, in eval mode and folded. Raises JobError."""
    restorer = kind.restorer(mean)
    try:
        restorer.net.load_state_dict(weights)
    except RuntimeError as error:
        raise JobError(
            f"The weights of {name} do not fit the network: "
            "its Python file or package has changed. "
            "Restore the version that it was trained with."
        ) from error
    if isinstance(restorer.net, GraphNetwork):
        restorer.net.fold()
    return restorer.eval()


def read_weights(model: JobFolder, name: str) -> tuple[Kind, Tensor | None, dict[str, Tensor]]:
    """Return the kind, the mean colour and the weights of a snapshot. Raises JobError."""
    return read_file(weights_of(model, name))


def read_file(path: Path) -> tuple[Kind, Tensor | None, dict[str, Tensor]]:
    """Return the kind, the mean colour and the weights of a file. Raises JobError."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        weights = load_file(path)
        network: Network = TypeAdapter(Network).validate_json(metadata["network"])
        mean = json.loads(metadata["mean"])
        kind = Kind(network, metadata["channels"], int(metadata["of_image"]))
    except (OSError, SafetensorError, LookupError, ValueError) as error:
        raise JobError(
            f"Snapshot {path.stem} cannot be read: {error}. Choose another snapshot."
        ) from error
    return kind, None if mean is None else torch.tensor(mean), weights


def start_from(net: nn.Module, model: JobFolder, requested: str) -> str:
    """Copy the weights of another model with equal name and shape; return a message for the log."""
    if not model.path.exists():
        raise JobError("The model to start from was deleted. Choose another model.")
    name = find(model, requested)
    _, _, weights = read_weights(model, name)
    initial = net.state_dict()
    matches = {
        key: value
        for key, value in weights.items()
        if key in initial and initial[key].shape == value.shape
    }
    if not matches:
        raise JobError(
            "The model to start from has no weights with a name and shape of this network. "
            "Choose another model."
        )
    net.load_state_dict({**initial, **matches})
    rest = sorted(set(initial) - set(matches))
    untrained = f"; not copied: {', '.join(rest[:10])}" if rest else ""
    return (
        f"Starts from {name} of “{model.read()['name']}”: "
        f"{len(matches)} of {len(initial)} weights{untrained}."
    )


def too_old(model: JobFolder, newest: str, scores: dict[str, float], keep: int) -> list[str]:
    """Return the snapshots to remove after `newest`: all but the last `keep` and the best."""
    summary = _view(model)["summary"]
    others = [row for row in summary.get("snapshots", []) if row["snapshot"] != newest]
    rows = [*others, cast(Snapshot, {"snapshot": newest, **scores})]
    best = best_of(rows, leader_of(summary))
    return [row["snapshot"] for row in rows[:-keep] if row is not best]


def find(model: JobFolder, requested: str) -> str:
    """Return the name of the "best" or "last" snapshot; check and return any other name.

    Raises JobError if the snapshot does not exist.
    """
    summary = _view(model)["summary"]
    if "snapshots" not in summary:
        raise JobError("The model has no snapshot yet. Wait for the first snapshot.")
    if requested in ("best", "last"):
        return summary["best" if requested == "best" else "last"]["snapshot"]
    names = [row["snapshot"] for row in summary["snapshots"]]
    if requested not in names:
        raise JobError(
            f"Snapshot {requested} does not exist. "
            f"Choose another snapshot: best, {', '.join(reversed(names))}."
        )
    return requested


def row_of(model: JobFolder, name: str) -> Snapshot:
    """Return what the log says of a snapshot: its step, and the scores of its validation."""
    rows = _view(model)["summary"]["snapshots"]
    return next(row for row in rows if row["snapshot"] == name)


def _view(model: JobFolder) -> View:
    view = empty()
    for event in read(model.events, types=frozenset({"snapshot", "removed", "resumed"})):
        view = fold(view, event)
    return view


def weights_of(folder: JobFolder, name: str) -> Path:
    return folder.snapshots / f"{name}.safetensors"


def _state(folder: JobFolder, name: str) -> Path:
    return folder.snapshots / f"{name}.state.pt"
