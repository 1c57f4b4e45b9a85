"""Losses: functions of output, target and settings to a scalar.

Output and target are float32 (N, C, H, W) in 0 to 1. The settings of each loss are its spec in
jobs/specs/losses.py, which has the same name.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.similarity import (
    SIGMAS,
    blur_to_the_border,
    constant,
    full_size_ms_ssim,
    ms_ssim,
    ssim_maps,
)

Loss = Callable[[Tensor, Tensor], Tensor]

SOBEL = (-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0)
"""The kernel of the derivative along rows, 3x3."""

PROPORTIONAL = ("l1", "l2", "charbonnier", "sobel-l1")
"""Losses of the difference alone, so that a unit of the differences weights patches."""

LOSSES: dict[str, Callable[..., Tensor]] = {}


def loss(name: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        LOSSES[name] = function
        return function

    return register


def loss_of(name: str, settings: dict[str, Any]) -> Loss:
    return partial(LOSSES[name], **settings)


def quantiser_unit(qp: Tensor, reference: float) -> Tensor:
    """The factor (N, 1, 1, 1) by which differences of patches become those at a QP `reference`.

    It is the quantiser step there, divided by that of the patch: the step doubles with every 6 QP
    (ITU-T H.264). `qp` has the QP / 51 of each pixel (N, 1, H, W), 0 where it is unknown; or is
    empty (N, 0, H, W) if that of all is. The factor is 1 for patches without a known QP.
    """
    known = qp > 0
    count = known.sum((1, 2, 3), keepdim=True)
    mean = 51 * qp.sum((1, 2, 3), keepdim=True) / count.clamp(min=1)
    return torch.exp2((reference - mean) / 6).where(count > 0, 1.0)


@loss("l1")
def l1(output: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(output, target)


@loss("l2")
def l2(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target)


@loss("charbonnier")
def charbonnier(output: Tensor, target: Tensor, epsilon: float = 0.001) -> Tensor:
    """The mean of sqrt(d^2 + epsilon^2).

    Charbonnier, Blanc-Féraud, Aubert, Barlaud 1994, as used by Lai et al. 2017.
    """
    return ((output - target).square() + epsilon**2).sqrt().mean()


@loss("ssim")
def ssim_loss(output: Tensor, target: Tensor) -> Tensor:
    return 1 - ssim_maps(output, target)[0].mean()


@loss("ms-ssim")
def ms_ssim_loss(output: Tensor, target: Tensor) -> Tensor:
    return 1 - ms_ssim(output, target).mean()


@loss("ms-ssim-l1")
def ms_ssim_l1(output: Tensor, target: Tensor, weight: float = 0.84) -> Tensor:
    """MS-SSIM at full size, mixed with L1 weighted by the Gaussian of the coarsest scale.

    Zhao, Gallo, Frosio, Kautz: Loss Functions for Image Restoration with Neural Networks, TCI
    3(1), 2017, eq. 14. The paper evaluates both at the centre of a patch; this function
    averages over all places.
    """
    difference = blur_to_the_border((output - target).abs(), SIGMAS[-1]).mean()
    return weight * (1 - full_size_ms_ssim(output, target).mean()) + (1 - weight) * difference


@loss("sobel-l1")
def sobel_l1(output: Tensor, target: Tensor, weight: float = 0.5) -> Tensor:
    """L1, mixed with L1 of the two Sobel derivatives.

    The derivatives are scaled so that a ramp that rises by 1 per pixel gives 1.
    """
    return (1 - weight) * F.l1_loss(output, target) + weight * sobel(output - target).abs().mean()


def sobel(images: Tensor) -> Tensor:
    """Derivatives along rows and columns: (N, C, H, W) to (N C, 2, H - 2, W - 2)."""
    kernel = constant(SOBEL, images.dtype, images.device).view(3, 3) / 8
    flat = images.reshape(-1, 1, *images.shape[-2:])
    return F.conv2d(flat, torch.stack((kernel, kernel.T))[:, None])
