"""Snapshots of a network: safetensors files, and beside them what a resumed training needs."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from jobs.errors import JobError
from jobs.events import read
from jobs.folder import JobFolder
from jobs.specs import Network
from jobs.view import empty, fold
from models.networks import NETWORKS


@dataclass(frozen=True)
class Position:
    """Where a training stands: epochs and steps that are done, and the seconds spent on them."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0


def build(network: Network, channels: int) -> nn.Module:
    return NETWORKS[network.name](channels=channels, skip=network.skip)


def save(
    folder: JobFolder, net: nn.Module, optimizer: torch.optim.Optimizer, position: Position, network: Network, channels: int
) -> tuple[str, int]:
    """Write a snapshot and the state to resume from; return the snapshot's name and size in bytes.

    Each file is whole or not there, and the weights are written before the state that names them.
    """
    name = f"epoch-{position.epoch:04d}"
    path = folder.snapshots / f"{name}.safetensors"
    weights = {key: value.contiguous() for key, value in net.state_dict().items()}
    metadata = {"network": json.dumps(network.model_dump()), "channels": str(channels), "epoch": str(position.epoch)}
    folder.snapshots.mkdir(exist_ok=True)
    _replace(path, lambda draft: save_file(weights, draft, metadata))
    state = {"snapshot": name, "position": asdict(position), "optimizer": optimizer.state_dict()}
    _replace(folder.snapshots / "resume.pt", lambda draft: torch.save(state, draft))
    return name, path.stat().st_size


def resume(folder: JobFolder, net: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
    """Take up the last snapshot, where there is one; return the position it stands for."""
    path = folder.snapshots / "resume.pt"
    if not path.exists():
        return Position()
    state = torch.load(path, weights_only=True)
    net.load_state_dict(_weights(folder, state["snapshot"]))
    optimizer.load_state_dict(state["optimizer"])
    return Position(**state["position"])


def load(model: JobFolder, wanted: str, network: Network) -> tuple[str, nn.Module, int]:
    """The snapshot's name ("best", "last" or its name are wanted), its network, and the channels that it restores."""
    name = _name(model, wanted)
    weights = _weights(model, name)
    with safe_open(model.snapshots / f"{name}.safetensors", "pt") as file:
        channels = int(file.metadata()["channels"])
    net = build(network, channels)
    net.load_state_dict(weights)
    return name, net.eval(), channels


def _name(model: JobFolder, wanted: str) -> str:
    summary: dict[str, Any] = {}
    view = empty()
    for event in read(model.events, types=frozenset({"snapshot"})):
        view = fold(view, event)
    summary = view["summary"]
    if not summary:
        raise JobError("The model has no snapshot yet. Wait for the end of its first epoch.")
    return str(summary[wanted]["snapshot"]) if wanted in ("best", "last") else wanted


def _weights(folder: JobFolder, name: str) -> dict[str, torch.Tensor]:
    try:
        return load_file(folder.snapshots / f"{name}.safetensors")
    except (FileNotFoundError, SafetensorError) as error:
        raise JobError(f"Snapshot {name} cannot be read ({error}). Choose another one.") from error


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    draft = path.with_name("." + path.name)
    write(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
