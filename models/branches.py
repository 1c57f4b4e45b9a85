"""A 3x3 convolution that is trained as the sum of several, and used as one.

Zhang, Zeng, Zhang: Edge-oriented Convolution Block for Real-time Super Resolution on Mobile
Devices, ACM MM 2021. A sum of convolutions is a convolution, so the branches cost nothing once
they are trained, but a small network learns more with them. Unlike in the paper, branches have no
biases and no scales of their own, so that the sum is exact at the edges of an image too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.definitions.operations import branch_blobs

EDGES = (
    ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
    ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
)
"""Sobel's kernels for vertical and horizontal edges, and Laplace's."""


class BranchedConv(nn.Conv2d):
    """Branches: 3x3; 1x1 to twice the maps, then 3x3; 1x1, then each of EDGES; identity.

    The identity exists if there are as many maps as inputs. Stride 1, padding 1.
    """

    edges: Tensor

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__(channels, maps, 3, padding=1)
        expand, squeeze, edges = branch_blobs(channels, maps)
        self.expand = nn.Parameter(torch.empty(expand))
        self.squeeze = nn.Parameter(torch.zeros(squeeze))
        self.edge_weights = nn.Parameter(torch.zeros(edges))
        nn.init.kaiming_normal_(self.expand)
        self.register_buffer("edges", torch.tensor(EDGES, dtype=torch.float32), persistent=False)

    def kernel(self) -> Tensor:
        """The sum of all branches as the weights of one convolution (maps, channels, 3, 3).

        Written as sums of products: autocast would compute a matrix product in bfloat16.
        """
        wide = (self.squeeze[:, :, None] * self.expand[None, :, :, None, None]).sum(1)
        edges = (self.edge_weights[..., None, None] * self.edges[:, None, None]).sum(0)
        kernel = self.weight + wide + edges
        if self.in_channels == self.out_channels:
            # Made on its device: a copy to it would make each step wait.
            identity = torch.eye(self.in_channels, dtype=kernel.dtype, device=kernel.device)
            kernel = kernel + F.pad(identity[..., None, None], (1, 1, 1, 1))
        return kernel

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.kernel(), self.bias, padding=1)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """A plain convolution with the same output."""
        plain = nn.Conv2d(self.in_channels, self.out_channels, 3, padding=1)
        plain = plain.to(self.weight.device, self.weight.dtype)
        plain.weight.copy_(self.kernel())
        assert plain.bias is not None
        assert self.bias is not None
        plain.bias.copy_(self.bias)
        return plain.train(self.training)
