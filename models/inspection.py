"""Seeing what each layer did: statistics, and pictures of all its channels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.utils import make_grid

GRID_WIDTH = 2400
"""Pixels that a picture of all channels may be wide, before the channels are shown smaller."""


@contextmanager
def watch_layers(net: nn.Module, seen: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
    """Call `seen(name, module, output)` for each leaf module of the network as soon as it has run."""
    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: seen(name, module, output))
        for name, module in net.named_modules()
        if not any(module.children())
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def statistics(values: Tensor, bins: int = 40) -> dict[str, Any]:
    """Mean, standard deviation, range, share of zeros and histogram of any tensor."""
    values = values.detach().float().flatten()
    low, high = float(values.min()), float(values.max())
    # histc refuses an empty range: a constant layer gets one of width 1 around its value.
    edges = torch.linspace(low, high, bins + 1) if high > low else torch.linspace(low - 0.5, high + 0.5, bins + 1)
    counts = torch.histc(values, bins, float(edges[0]), float(edges[-1]))
    return {
        "mean": float(values.mean()),
        "std": float(values.std(correction=0)),
        "min": low,
        "max": high,
        "zero_share": float((values == 0).float().mean()),
        "histogram": {"counts": counts.int().tolist(), "edges": edges.tolist()},
    }


def channel_grid(activations: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """All channels of (C, H, W) side by side, and the values shown as black and as white.

    The grid is uint8 (H', W'), with one range for all channels, so that they can be compared. No
    channel is left out: where they are too wide together, each is shown smaller.
    """
    maps = activations.detach().float().unsqueeze(1)
    low, high = float(maps.min()), float(maps.max())
    columns = max(1, round(len(maps) ** 0.5))
    shrink = (columns * maps.shape[-1]) / GRID_WIDTH
    if shrink > 1:
        maps = F.interpolate(maps, scale_factor=1 / shrink, mode="area")
    grid = make_grid((maps - low) / max(high - low, 1e-12), nrow=columns, padding=2, pad_value=0.5)
    return grid[0].mul(255).round().byte(), (low, high)


def weight_grid(weight: Tensor) -> Tensor:
    """The kernels of a convolution (out, in, k, k) in a grid, uint8 (H', W'): a row an input channel,
    a column an output channel, each pixel 4x4, zero mid-grey. Where there is but one of either, its row is wrapped."""
    kernels = weight.detach().float().transpose(0, 1).flatten(0, 1).unsqueeze(1)
    outputs, inputs = weight.shape[:2]
    columns = max(1, round(len(kernels) ** 0.5)) if min(outputs, inputs) == 1 else outputs
    reach = max(float(kernels.abs().max()), 1e-12)
    kernels = kernels.repeat_interleave(4, -1).repeat_interleave(4, -2)
    grid: Tensor = make_grid(kernels / (2 * reach) + 0.5, nrow=columns, padding=1, pad_value=1)
    return grid[0].mul(255).round().byte()
