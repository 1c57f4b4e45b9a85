"""Build the network and the loss of a spec.

Sources: the registries, a pasted definition, an installed package, or a Python file.
"""

from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import models
from jobs.core.errors import JobError
from jobs.networks.user_code import errors_of, function_in_file, function_in_package
from jobs.specs.losses import Loss, PackageLoss, PythonFileLoss
from jobs.specs.networks import (
    Custom,
    EcbNet,
    Network,
    Package,
    PythonFile,
    Srcnn915,
    starter_for,
)
from models.build import GraphNetwork
from models.definitions.graph import Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import GraphError
from models.losses import Loss as LossFunction
from models.losses import loss_of

STARTERS = Path(models.__file__).parent / "starters"
"""Weights of the starters and their model cards."""

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
            return _called(
                _entry_point("clearframe.networks", spec.entry), _named(spec.entry), channels
            )
        case PythonFile():
            return _called(function_in_file(spec.file, "network"), spec.file, channels)
        case Srcnn915(start="starter") | EcbNet(start="starter"):
            return _from_starter(spec, channels)
        case _:
            settings = spec.model_dump(exclude={"name", "start"})
            graph = NETWORKS[spec.name].graph(channels, **settings)
            return GraphNetwork(graph, "paper" if spec.start == "paper" else "identity", signed)


def _from_starter(spec: Srcnn915 | EcbNet, channels: int) -> nn.Module:
    starter = starter_for(spec, channels)
    if starter is None:
        raise JobError("No starter has the shape of this network. Choose the start identity.")
    net = make_network(spec.model_copy(update={"start": "identity"}), channels)
    net.load_state_dict(load_file(STARTERS / f"{starter}.safetensors"))
    return net


def _called(function: Callable[..., Any], code: str, channels: int) -> nn.Module:
    """The network that foreign code makes. Raises JobError."""
    with errors_of(code):
        network = function(channels)
        try:
            net = GraphNetwork(network) if isinstance(network, Graph) else network
        except GraphError as error:
            raise JobError(f"{code}: The network cannot be trained. {error}") from error
        return _checked(net, channels)


def uses_lr_mult(spec: Network) -> bool:
    """Return whether lr_mult applies: in pasted definitions, and with the start of a paper."""
    return isinstance(spec, Custom) or getattr(spec, "start", "") == "paper"


def make_loss(spec: Loss) -> LossFunction:
    """Return the loss function. Raises JobError."""
    match spec:
        case PackageLoss():
            return _checked_loss(_entry_point("clearframe.losses", spec.entry), _named(spec.entry))
        case PythonFileLoss():
            return _checked_loss(function_in_file(spec.file, "loss"), spec.file)
    return loss_of(spec.name, spec.model_dump(exclude={"name"}))


def _checked_loss(function: LossFunction, code: str) -> LossFunction:
    """The loss of foreign code. It raises JobError unless it returns a number as a tensor."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        with errors_of(code):
            value: object = function(output, target)
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            raise JobError(
                f"{code}: loss returns {_shape_of(value)}. "
                "It must return a scalar tensor that depends on the output of the network."
            )
        return value.reshape(())

    return loss


def _shape_of(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a value of type {type(value).__name__}"
    constant = "" if value.requires_grad else " without a gradient"
    return f"a tensor of shape {tuple(value.shape)}{constant}"


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
    return function_in_package(next(iter(matches)))


def _named(entry: str) -> str:
    return f"The entry point {entry}"


def _checked(net: Any, channels: int) -> nn.Module:
    """Return the network. Raises JobError unless it is a module that keeps the size of an image.

    Calls it in training too, since some networks then return several outputs.
    """
    if not isinstance(net, nn.Module):
        raise JobError(f"The network must be a torch module, not a {type(net).__name__}.")
    planes = net.graph.planes if isinstance(net, GraphNetwork) else channels
    image = torch.zeros(1, planes, 37, 53)
    with torch.random.fork_rng(devices=[]):
        _output_of(net.eval(), image, channels)
        # A copy: batch normalisation in training would learn from this image.
        output = _output_of(deepcopy(net).train(), image, channels, " in training")
    if torch.is_grad_enabled() and not output.requires_grad:
        raise JobError(
            "The output of the network depends on no weights that can be trained. "
            "Give it parameters, and do not detach them."
        )
    return net


def _output_of(net: nn.Module, image: Tensor, channels: int, mode: str = "") -> Tensor:
    output: object = net(image)
    if not isinstance(output, Tensor):
        raise JobError(
            f"The network returns a value of type {type(output).__name__}{mode}. "
            "It must return a tensor: the restored image."
        )
    expected = (1, channels, *image.shape[2:])
    if output.shape != expected:
        raise JobError(
            f"The network turns an image of {expected} into {tuple(output.shape)}{mode}: "
            "the sizes must be equal. Check its pads and strides."
        )
    return output
