"""The network and the loss that a spec names: from the registries, a pasted text, an installed package or a Python file."""

import os
import runpy
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

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


def make_network(spec: Network, channels: int, signed: bool = False) -> nn.Module:
    """The network for images of so many channels, its weights started; `signed`: for values below zero, too. Raises JobError."""
    match spec:
        case Custom():
            return GraphNetwork(_read(spec.prototxt, channels), spec.start, signed)
        case Package():
            made = _entry("clearframe.networks", spec.entry)(channels)
        case PythonFile():
            made = _of_file(spec.file, "network")(channels)
        case _:
            settings = spec.model_dump(exclude={"name", "start"})
            return GraphNetwork(NETWORKS[spec.name].graph(channels, **settings), spec.start, signed)
    return _tried(GraphNetwork(made) if isinstance(made, Graph) else made, channels)


def uses_its_own_factors(spec: Network) -> bool:
    """Whether lr_mult counts: always in a pasted text, and where a published network starts as in its paper."""
    return isinstance(spec, Custom) or getattr(spec, "start", "") == "paper"


def make_loss(spec: Loss) -> LossFunction:
    """Raises JobError."""
    match spec:
        case PackageLoss():
            function: LossFunction = _entry("clearframe.losses", spec.entry)
        case PythonFileLoss():
            function = _of_file(spec.file, "loss")
        case _:
            function = loss_of(spec.name, spec.model_dump(exclude={"name"}))
    return function


def _read(text: str, channels: int) -> Graph:
    from models.definitions.caffe.prototxt import read

    try:
        return read(text, channels).graph
    except GraphError as error:
        where = f"Line {error.line}: " if error.line else ""
        raise JobError(f"The network cannot be trained. {where}{error}") from error


def _entry(group: str, name: str) -> Callable[..., Any]:
    found = entry_points(group=group, name=name)
    if not found:
        there = ", ".join(sorted(entry.name for entry in entry_points(group=group))) or "none"
        raise JobError(
            f"No installed package has an entry point {name} in {group}. There are: {there}."
        )
    function: Callable[..., Any] = next(iter(found)).load()
    return function


def _of_file(path: str, name: str) -> Callable[..., Any]:
    if not os.environ.get(USER_CODE):
        raise JobError(
            "A Python file runs only where the server was started with --allow-user-code."
        )
    try:
        found = runpy.run_path(
            path, run_name="user_code"
        )  # Its classes are of that module: TorchScript writes down the name.
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}.") from error
    if not callable(found.get(name)):
        raise JobError(f"{path} has no function {name}.")
    function: Callable[..., Any] = found[name]
    return function


def _tried(net: Any, channels: int) -> nn.Module:
    """Raises JobError for what is no network that maps an image to one of equal size."""
    if not isinstance(net, nn.Module):
        raise JobError(f"The network is no torch module but a {type(net).__name__}.")
    with torch.no_grad():
        shape = tuple(net.eval()(torch.zeros(1, channels, 37, 53)).shape)
    if shape != (1, channels, 37, 53):
        raise JobError(
            f"The network makes {shape} of (1, {channels}, 37, 53): it must give an image of equal size."
        )
    return net
