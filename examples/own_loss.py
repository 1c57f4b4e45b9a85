"""A loss of your own: L1, in which differences at edges of the original count more.

`--loss python --loss-file examples/own_loss.py`: docs/how-to/own-loss.md.
"""

import torch.nn.functional as F
from torch import Tensor

EDGES = 4.0
"""How much more the sharpest edge counts than a flat area."""


def loss(output: Tensor, target: Tensor) -> Tensor:
    """The weighted mean of the absolute differences. Both are (N, C, H, W), 0 to 1."""
    right = F.pad((target[..., :, 1:] - target[..., :, :-1]).abs(), (0, 1))
    below = F.pad((target[..., 1:, :] - target[..., :-1, :]).abs(), (0, 0, 0, 1))
    weights = 1 + EDGES * (right + below)
    return (weights * (output - target).abs()).mean()
