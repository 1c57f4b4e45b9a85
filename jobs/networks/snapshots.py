"""Snapshots of a training: the weights as safetensors, and beside them the state that a resumed run needs.

Each file is whole or not there: it is written under another name, synced and renamed; the weights come last, so that
a snapshot that can be seen can be resumed from.
"""

import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from jobs.core.disk import sync
from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.view import best_of, empty, fold
from jobs.networks.from_spec import make_network
from jobs.specs.networks import Network
from models.restorer import Channels, Restorer, channels_seen

State = dict[str, Any]
"""What torch.save keeps beside a snapshot: tensors, numbers, lists and dicts only."""


@dataclass(frozen=True)
class Kind:
    """What must be known to use weights: the network, the colours that it sees, and the channels of its images."""

    network: Network
    channels: Channels
    of_image: int

    def restorer(self, mean: Tensor | None = None, signed: bool = False) -> Restorer:
        """`signed`: whether the network is to start on values below zero."""
        net = make_network(self.network, channels_seen(self.channels, self.of_image), signed)
        return Restorer(net, self.channels, mean)


def name_of(step: int, steps_an_epoch: int) -> str:
    """epoch-0012 at the end of an epoch, else step-001234."""
    epoch, rest = divmod(step, steps_an_epoch)
    return f"step-{step:06d}" if rest else f"epoch-{epoch:04d}"


def save(folder: JobFolder, name: str, kind: Kind, restorer: Restorer, state: State) -> int:
    """Write a snapshot; return the size of its weights in bytes. `restorer` has those to test with."""
    mean = None if restorer.mean is None else restorer.mean.tolist()
    metadata = {
        "network": kind.network.model_dump_json(),
        "channels": kind.channels,
        "of_image": str(kind.of_image),
        "mean": json.dumps(mean),
    }
    folder.snapshots.mkdir(exist_ok=True)
    # A run that went on from an earlier snapshot comes by the same name again, with other weights.
    for stale in folder.exports.glob(f"{name}.*"):
        stale.unlink()
    packed = io.BytesIO()
    torch.save(state, packed)
    _write(_state(folder, name), packed.getbuffer())
    whole = {key: value.cpu().contiguous() for key, value in restorer.net.state_dict().items()}
    _write(weights_of(folder, name), safetensors.torch.save(whole, metadata))
    return weights_of(folder, name).stat().st_size


def remove(folder: JobFolder, names: Iterable[str]) -> None:
    for name in names:
        weights_of(folder, name).unlink(missing_ok=True)
        _state(folder, name).unlink(missing_ok=True)


def to_resume(folder: JobFolder, wanted: str = "") -> State | None:
    """The state of the snapshot that is wanted, or of the last that the log tells of; None where there is none.

    Raises JobError."""
    last = _view(folder)["summary"].get("last")
    name = wanted or (last["snapshot"] if last else "")
    return _read_state(folder, name) if name else None


def _read_state(folder: JobFolder, name: str) -> State:
    try:
        state: State = torch.load(_state(folder, name), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise JobError(
            f"Snapshot {name} cannot be resumed from: {error}. Resume from another one."
        ) from error
    return state


def load(model: JobFolder, wanted: str) -> tuple[str, Restorer, int]:
    """The snapshot's name ("best", "last" or its name are wanted), what restores with it, and the channels of its images.

    Raises JobError."""
    name = find(model, wanted)
    kind, mean, weights = read_weights(model, name)
    restorer = kind.restorer(mean)
    try:
        restorer.net.load_state_dict(weights)
    except RuntimeError as error:
        raise JobError(
            f"The weights of {name} do not fit the network: its Python file or package was changed. Bring back the one it was "
            "trained with."
        ) from error
    return name, restorer.eval(), kind.of_image


def read_weights(model: JobFolder, name: str) -> tuple[Kind, Tensor | None, dict[str, Tensor]]:
    """Raises JobError."""
    try:
        with safe_open(weights_of(model, name), "pt") as file:
            told = file.metadata()
        weights = load_file(weights_of(model, name))
    except (OSError, SafetensorError) as error:
        raise JobError(f"Snapshot {name} cannot be read: {error}. Choose another one.") from error
    network: Network = TypeAdapter(Network).validate_json(told["network"])
    mean = json.loads(told["mean"])
    kind = Kind(network, told["channels"], int(told["of_image"]))
    return kind, None if mean is None else torch.tensor(mean), weights


def start_from(net: nn.Module, model: JobFolder, wanted: str) -> str:
    """Take over the weights of another model where name and shape are equal; say in words what was taken."""
    if not model.path.exists():
        raise JobError("The model to start from was deleted. Choose another one.")
    name = find(model, wanted)
    _, _, weights = read_weights(model, name)
    own = net.state_dict()
    fitting = {
        key: value for key, value in weights.items() if key in own and own[key].shape == value.shape
    }
    if not fitting:
        raise JobError(
            "The model to start from has no layer of the name and shape of one of this network."
        )
    net.load_state_dict({**own, **fitting})
    rest = sorted(set(own) - set(fitting))
    left = f"; these start anew: {', '.join(rest[:10])}" if rest else ""
    return f"Starts from {name} of “{model.read()['name']}”: {len(fitting)} of {len(own)} weights{left}."


def too_old(model: JobFolder, newest: str, scores: dict[str, float], keep: int) -> list[str]:
    """The snapshots to remove once the newest is there: all but the last `keep` and the best."""
    others = [
        one for one in _view(model)["summary"].get("snapshots", []) if one["snapshot"] != newest
    ]
    known = [*others, {"snapshot": newest, **scores}]
    return [one["snapshot"] for one in known[:-keep] if one is not best_of(known)]


def find(model: JobFolder, wanted: str) -> str:
    """The name of "best" or "last"; any other name as it is. Raises JobError where there is no snapshot."""
    summary = _view(model)["summary"]
    if "snapshots" not in summary:
        raise JobError("The model has no snapshot yet. Wait for the first one.")
    if wanted in ("best", "last"):
        return str(summary[wanted]["snapshot"])
    there = [one["snapshot"] for one in summary["snapshots"]]
    if wanted not in there:
        raise JobError(
            f"There is no snapshot {wanted} any more. Choose another one: best, {', '.join(reversed(there))}."
        )
    return wanted


def _view(model: JobFolder) -> dict[str, Any]:
    view = empty()
    for event in read(model.events, types=frozenset({"snapshot", "removed", "resumed"})):
        view = fold(view, event)
    return view


def weights_of(folder: JobFolder, name: str) -> Path:
    return folder.snapshots / f"{name}.safetensors"


def _state(folder: JobFolder, name: str) -> Path:
    return folder.snapshots / f"{name}.state.pt"


def _write(path: Path, content: bytes | memoryview) -> None:
    """By our own hand, so that a full disk is told as one: torch and safetensors have errors of their own for it."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    sync(draft)
    os.replace(draft, path)
    sync(path.parent)
