"""Losses: each takes output and target (N, C, H, W) in 0 to 1 and returns one number."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {"l1": F.l1_loss}
