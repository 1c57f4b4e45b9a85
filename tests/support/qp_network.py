"""A network that shows what it gets: each channel of its output is the plane with the QPs."""

from pathlib import Path

from models.build import GraphNetwork
from models.definitions.graph import QP, Graph
from models.definitions.operations import Conv, Filler, Node


def network(channels: int) -> GraphNetwork:
    """A 1x1 convolution of the plane whose weights are 1, since a training needs weights."""
    show = Conv(channels, (1, 1), (1, 1), (0, 0), weights=Filler("constant", 1.0))
    return GraphNetwork(Graph((Node("show", show, (QP,)),), "show", channels))


UNTRAINED = {
    "channels": "rgb",
    "solver": {"name": "sgd", "learning_rate": 1e-12, "momentum": 0},
    "epochs": 1,
}
"""Settings of a training that leaves the network as it is."""


def python_file(folder: Path) -> dict[str, str]:
    """The network as the Python file of a user."""
    path = folder / "qp_network.py"
    path.write_text("from tests.support.qp_network import network  # noqa: F401\n")
    return {"name": "python", "file": str(path)}
