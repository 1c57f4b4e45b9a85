"""Models without a training: a job folder with one snapshot.

The weights differ from their initial values, so that the network is not the identity.
"""

from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.networks import snapshots
from jobs.networks.snapshots import Kind
from jobs.specs import ModelSpec
from jobs.specs.networks import Network
from models.restorer import Channels, channels_seen

TINY = {"name": "srcnn-9-1-5", "maps1": 4, "maps2": 4}


def make_model(
    home: Path,
    network: dict[str, Any] = TINY,
    channels: Channels = "y",
    of_image: int = 3,
    mean: bool = False,
) -> JobFolder:
    """Create a finished model with the snapshot epoch-0001."""
    values = {"name": "tiny", "dataset": "abcdefgh", "network": network, "channels": channels}
    folder = folders.create(home, "model", ModelSpec.model_validate(values))
    with EventLog(folder.events) as log:
        log.append("state", state="waiting", reason="")
        add_snapshot(folder, log, "epoch-0001", channels, of_image, mean)
        log.append("state", state="done", reason="", summary={})
    return folder


def add_snapshot(
    folder: JobFolder,
    log: EventLog,
    name: str,
    channels: Channels = "y",
    of_image: int = 3,
    mean: bool = False,
) -> None:
    network: Network = TypeAdapter(Network).validate_python(folder.read()["spec"]["network"])
    kind = Kind(network, channels, of_image)
    subtracted = torch.linspace(0.3, 0.5, channels_seen(channels, of_image)) if mean else None
    restorer = kind.restorer(subtracted)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in restorer.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.02)
    size = snapshots.save(folder, name, kind, restorer, {})
    log.append(
        "snapshot", name=name, epoch=1.0, step=6, size=size, scalars={"val/l1": 0.1}, removed=[]
    )
