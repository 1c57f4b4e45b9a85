"""Losses: each takes output and target (N, C, H, W) in 0 to 1, in float32, and its settings, and returns one number."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.similarity import SIGMAS, blur_to_the_border, full_size_ms_ssim, ms_ssim, ssim_maps

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[..., Tensor]] = {}


def loss(name: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        LOSSES[name] = function
        return function

    return register


def loss_of(name: str, settings: dict[str, Any]) -> Loss:
    return partial(LOSSES[name], **settings)


@loss("l1")
def l1(output: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(output, target)


@loss("l2")
def l2(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target)


@loss("charbonnier")
def charbonnier(output: Tensor, target: Tensor, epsilon: float = 0.001) -> Tensor:
    """The mean of sqrt(d^2 + epsilon^2) (Charbonnier, Blanc-Féraud, Aubert, Barlaud 1994, as Lai et al. 2017 use it)."""
    return ((output - target).square() + epsilon**2).sqrt().mean()


@loss("ssim")
def ssim_loss(output: Tensor, target: Tensor) -> Tensor:
    return 1 - ssim_maps(output, target)[0].mean()


@loss("ms-ssim")
def ms_ssim_loss(output: Tensor, target: Tensor) -> Tensor:
    return 1 - ms_ssim(output, target).mean()


@loss("ms-ssim-l1")
def ms_ssim_l1(output: Tensor, target: Tensor, weight: float = 0.84) -> Tensor:
    """Zhao, Gallo, Frosio, Kautz: Loss Functions for Image Restoration with Neural Networks, TCI 3(1), 2017, eq. 14.

    MS-SSIM at full size, and L1 weighted by the Gaussian of its coarsest scale. The paper takes both at the middle of a
    patch; here they are the means over all places.
    """
    difference = blur_to_the_border((output - target).abs(), SIGMAS[-1]).mean()
    return weight * (1 - full_size_ms_ssim(output, target).mean()) + (1 - weight) * difference


@loss("sobel-l1")
def sobel_l1(output: Tensor, target: Tensor, weight: float = 0.5) -> Tensor:
    """L1, and L1 of the two Sobel derivatives, each of gain 1 for a slope of 1 a pixel."""
    return (1 - weight) * F.l1_loss(output, target) + weight * sobel(output - target).abs().mean()


def sobel(images: Tensor) -> Tensor:
    """The derivatives along rows and columns: (N, C, H, W) to (N C, 2, H - 2, W - 2)."""
    kernel = (
        torch.tensor(
            [[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=images.dtype, device=images.device
        )
        / 8
    )
    flat = images.reshape(-1, 1, *images.shape[-2:])
    return F.conv2d(flat, torch.stack((kernel, kernel.T))[:, None])
