"""The memory that layers take, and that a device has left."""

import psutil
import torch
from torch import Tensor, nn

from models.definitions.graph import Graph
from models.definitions.operations import Conv, Op
from models.definitions.shapes import Shape
from models.restorer import Restorer, channels_seen, colours

FREE_SHARE = 0.5
"""Share of the free memory that may be used."""
CONV_COPIES = 2
"""Memory factor of convolutions: they copy input and output into an internal layout."""
PROBE_SIDE = 96
"""Side in pixels of the image that measures a module that is not a graph."""


def free_memory(device: torch.device) -> int:
    """Bytes that a network may take on a device: a share of its free memory."""
    return int(FREE_SHARE * free_bytes(device))


def free_bytes(device: torch.device) -> int:
    """Bytes that this process can still get on a device.

    On a GPU, that includes what PyTorch keeps for later, up to the share of the process.
    """
    if device.type != "cuda":
        return int(psutil.virtual_memory().available)
    free, total = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device)
    allocated = torch.cuda.memory_allocated(device)
    share = int(torch.cuda.get_per_process_memory_fraction(device) * total)
    return min(free + kept, share) - allocated


def bytes_per_pixel(restorer: Restorer, channels: int) -> float:
    """Peak memory of the layers per pixel of an image with `channels` channels, QP included.

    Includes the values still needed, the copies of a convolution, and the image in both colour
    spaces.
    """
    seen = channels_seen(restorer.channels, colours(channels))
    graph = getattr(restorer.net, "graph", None)
    values = (
        _live(graph) if isinstance(graph, Graph) else float(sum(_module_values(restorer.net, seen)))
    )
    return 4.0 * (values + 3 * channels + 2 * seen)


def widest(restorer: Restorer, channels: int) -> float:
    """Values per pixel of the layer with the largest output."""
    seen = channels_seen(restorer.channels, colours(channels))
    graph = getattr(restorer.net, "graph", None)
    if isinstance(graph, Graph):
        return max(_values(shape) for shape in graph.shapes(240, 240).values()) / 240**2
    return max(_module_values(restorer.net, seen))


def _values(shape: Shape) -> int:
    return shape.channels * shape.height * shape.width


def _live(graph: Graph) -> float:
    """Peak values per pixel as models.build runs layers: each value lives until its last use."""
    side = 240  # Divisible by the usual strides.
    sizes = {name: _values(shape) for name, shape in graph.shapes(side, side).items()}
    last_use = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs}
    peak, live = 0, {name: sizes[name] for name in graph.sources}
    for number, node in enumerate(graph.nodes):
        live[node.name] = sizes[node.name]
        inputs = sum(sizes[name] for name in set(node.inputs))
        peak = max(
            peak,
            sum(live.values()) + (CONV_COPIES - 1) * (inputs + sizes[node.name]) * _copies(node.op),
        )
        live = {
            name: size
            for name, size in live.items()
            if last_use.get(name, -1) > number or name == graph.output
        }
        live.setdefault(node.name, sizes[node.name])
    return peak / side**2


def _copies(op: Op) -> bool:
    return isinstance(op, Conv)


def _module_values(net: nn.Module, seen: int) -> list[float]:
    """Values per pixel of the image and of each module of a network, as if all were kept."""
    counts = [float(seen)]

    def count(module: nn.Module, given: object, output: object) -> None:
        if isinstance(output, Tensor):
            counts.append(output.numel() / PROBE_SIDE**2)

    hooks = [
        module.register_forward_hook(count)
        for module in net.modules()
        if not any(module.children())
    ]
    weights = next(net.parameters(), None)
    try:
        with torch.inference_mode():
            net(
                torch.zeros(
                    1,
                    seen,
                    PROBE_SIDE,
                    PROBE_SIDE,
                    device=weights.device if weights is not None else None,
                )
            )
    finally:
        for hook in hooks:
            hook.remove()
    return counts
