"""Build the network and the loss of a spec.

Sources: the registries, a pasted definition, an installed package, or a Python file.
"""

import os
import runpy
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from jobs.core.errors import JobError
from jobs.core.launcher import USER_CODE
from jobs.specs.losses import Loss, PackageLoss, PythonFileLoss
from jobs.specs.networks import Custom, Network, Package, PythonFile
from models.build import GraphNetwork
from models.definitions.graph import Graph, GraphError
from models.definitions.networks import NETWORKS
from models.losses import Loss as LossFunction
from models.losses import loss_of

if TYPE_CHECKING:
    from models.definitions.caffe.prototxt import ParsedNetwork


def make_network(spec: Network, channels: int, signed: bool = False) -> nn.Module:
    """Build the network for images with `channels` channels, with initialised weights.

    `signed`: initialise the weights for inputs that include values below zero. Raises JobError.
    """
    match spec:
        case Custom():
            return GraphNetwork(_read(spec.prototxt, channels).graph, spec.start, signed)
        case Package():
            network = _entry_point("clearframe.networks", spec.entry)(channels)
        case PythonFile():
            network = _function_in_file(spec.file, "network")(channels)
        case _:
            settings = spec.model_dump(exclude={"name", "start"})
            return GraphNetwork(NETWORKS[spec.name].graph(channels, **settings), spec.start, signed)
    return _checked(GraphNetwork(network) if isinstance(network, Graph) else network, channels)


def uses_lr_mult(spec: Network) -> bool:
    """Return whether lr_mult applies: in pasted definitions, and with the start of a paper."""
    return isinstance(spec, Custom) or getattr(spec, "start", "") == "paper"


def make_loss(spec: Loss) -> LossFunction:
    """Return the loss function. Raises JobError."""
    match spec:
        case PackageLoss():
            function: LossFunction = _entry_point("clearframe.losses", spec.entry)
        case PythonFileLoss():
            function = _function_in_file(spec.file, "loss")
        case _:
            function = loss_of(spec.name, spec.model_dump(exclude={"name"}))
    return function


def notes_on(network: Network, loss: Loss, channels: int) -> list[str]:
    """Sentences on what a training does otherwise than its pasted network asks. Raises JobError."""
    if not isinstance(network, Custom):
        return []
    return _read(network.prototxt, channels).notes_for(loss.name)


def _read(text: str, channels: int) -> "ParsedNetwork":
    from models.definitions.caffe.prototxt import read

    try:
        return read(text, channels)
    except GraphError as error:
        where = f"Line {error.line}: " if error.line else ""
        raise JobError(f"The network cannot be trained. {where}{error}") from error


def _entry_point(group: str, name: str) -> Callable[..., Any]:
    matches = entry_points(group=group, name=name)
    if not matches:
        available = ", ".join(sorted(entry.name for entry in entry_points(group=group))) or "none"
        raise JobError(
            f"No installed package has an entry point {name} in {group}. Available: {available}."
        )
    function: Callable[..., Any] = next(iter(matches)).load()
    return function


def _function_in_file(path: str, name: str) -> Callable[..., Any]:
    if not os.environ.get(USER_CODE):
        raise JobError("A Python file runs only if the server was started with --allow-user-code.")
    try:
        # TorchScript stores the name of the module in which a class is defined: keep it constant.
        names = runpy.run_path(path, run_name="user_code")
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}.") from error
    if not callable(names.get(name)):
        raise JobError(f"{path} has no function {name}. Define it in this file.")
    function: Callable[..., Any] = names[name]
    return function


def _checked(net: Any, channels: int) -> nn.Module:
    """Return the network. Raises JobError unless it is a module that keeps the size of an image."""
    if not isinstance(net, nn.Module):
        raise JobError(f"The network must be a torch module, not a {type(net).__name__}.")
    with torch.no_grad():
        shape = tuple(net.eval()(torch.zeros(1, channels, 37, 53)).shape)
    if shape != (1, channels, 37, 53):
        raise JobError(
            f"The network turns an image of (1, {channels}, 37, 53) into {shape}: "
            "the sizes must be equal. Check its pads and strides."
        )
    return net
