"""What a run was made of, kept with it: so that it can be made again, and compared."""

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil
import torch
from torch import nn

from jobs.networks.device import cpu_name, device_name
from models.build import GraphNetwork

PACKAGES = ("clearframe", "torch", "torchvision", "numpy", "av", "lmdb")


def of_network(net: nn.Module) -> dict[str, Any]:
    """Its size; of a network that is a graph also what it sees and costs."""
    told: dict[str, Any] = {"parameters": sum(parameter.numel() for parameter in net.parameters())}
    if isinstance(net, GraphNetwork):
        told |= {
            "receptive_field": list(net.graph.receptive_field()),
            "multiply_adds": net.graph.multiply_adds(),
        }
    return told


def of_machine(device: torch.device) -> dict[str, Any]:
    cuda = {"cuda": torch.version.cuda} if device.type == "cuda" else {}
    return {
        "device": device_name(device),
        "hardware": {
            "processor": cpu_name(),
            "cores": os.cpu_count(),
            "memory": psutil.virtual_memory().total,
            "system": platform.platform(),
        },
        "packages": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            **cuda,
        },
    }
