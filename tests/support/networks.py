"""Networks whose weights are not those of their start."""

import torch

from models.build import GraphNetwork
from models.definitions.graph import Graph


def moved(graph: Graph, by: float = 0.01) -> GraphNetwork:
    """The network with changed weights and biases, so that a layer's padding has an effect."""
    torch.manual_seed(0)
    net = GraphNetwork(graph).eval()
    with torch.no_grad():
        for weights in net.parameters():
            weights.add_(torch.randn_like(weights), alpha=by)
    return net
