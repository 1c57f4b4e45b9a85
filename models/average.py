"""The exponential moving average of a network's weights."""

from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor, nn


class WeightAverage(nn.Module):
    """`module` is a copy of a network whose weights and buffers follow those of the network.

    A step moves each by the share 1 - `decay` towards the network; the first one copies them. As
    torch.optim.swa_utils.AveragedModel, whose states it reads, but no step waits for a GPU: that
    class copies the number of steps to the device.
    """

    n_averaged: Tensor

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(net)
        self.register_buffer("n_averaged", torch.tensor(0))
        self._decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        own = [*chain(self.module.parameters(), self.module.buffers())]
        other = [*chain(net.parameters(), net.buffers())]
        # On the CPU in all runs: reading it waits for nothing.
        if self.n_averaged == 0:
            torch._foreach_copy_(own, other)
        else:
            floating = [average.is_floating_point() for average in own]
            torch._foreach_lerp_(
                [average for average, chosen in zip(own, floating, strict=True) if chosen],
                [weights for weights, chosen in zip(other, floating, strict=True) if chosen],
                1 - self._decay,
            )
            for average, weights, chosen in zip(own, other, floating, strict=True):
                if not chosen:  # A counter, such as the batches that a normalisation has seen.
                    average.copy_(average * self._decay + weights * (1 - self._decay))
        self.n_averaged += 1
