"""Facts about the network and the machine, kept with a run so that it can be reproduced."""

import os
import platform
from importlib.metadata import version

import psutil
import torch
from torch import nn

from jobs.core.types.facts import NetworkFacts, TrainingFacts
from jobs.networks.device import cpu_name, device_name
from models.build import GraphNetwork

PACKAGES = ("clearframe", "torch", "torchvision", "numpy", "av", "lmdb")


def of_network(net: nn.Module) -> NetworkFacts:
    """The number of parameters; of a graph also the receptive field and the multiply-adds."""
    facts: NetworkFacts = {"parameters": sum(parameter.numel() for parameter in net.parameters())}
    if isinstance(net, GraphNetwork):
        facts["receptive_field"] = list(net.graph.receptive_field())
        facts["multiply_adds"] = net.graph.multiply_adds()
    return facts


def of_machine(device: torch.device) -> TrainingFacts:
    """The device, the hardware, and the versions of packages."""
    cuda = {"cuda": str(torch.version.cuda)} if device.type == "cuda" else {}
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
