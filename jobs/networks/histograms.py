"""Histograms of the weights and gradients of a network, layer by layer."""

from torch import Tensor, nn

from jobs.core.types.layers import LayerHistograms, ValueHistogram

BINS = 32
MOST_LAYERS = 64
"""Of a deeper network, these many layers, spread evenly over all."""


def histograms_of(net: nn.Module) -> list[LayerHistograms]:
    """A histogram of the weights of each layer, and one of their gradients if there are any.

    Biases, and the scales of normalisations, are left out. At most MOST_LAYERS times 2 * BINS
    counts, whatever the network is.
    """
    layers = [
        (name.removesuffix(".weight"), weights)
        for name, weights in net.named_parameters()
        if weights.dim() > 1
    ]
    count = min(MOST_LAYERS, len(layers))
    chosen = [layers[place * len(layers) // count] for place in range(count)]
    return [
        {
            "name": name,
            "weights": _histogram(weights.detach()),
            "gradients": None if weights.grad is None else _histogram(weights.grad),
        }
        for name, weights in chosen
    ]


def _histogram(values: Tensor) -> ValueHistogram | None:
    """None if a value is not finite."""
    values = values.float()
    low, high = float(values.min()), float(values.max())
    if not abs(low) + abs(high) < float("inf"):
        return None
    counts = values.histc(BINS, low, high).int().tolist()
    return {"low": low, "high": high, "counts": counts}
