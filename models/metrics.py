"""Image metrics on 8-bit values, as in codec evaluation."""

import torch
from torch import Tensor

from models.similarity import WINDOW, constant, ssim_maps

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in Y (ITU-R BT.601)."""

TILE = 246
"""Side of the square tiles of places in which SSIM is computed."""


def to_uint8(image: Tensor) -> Tensor:
    """Clamp and round an image in 0 to 1 to uint8, as it would be stored."""
    return image.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images of equal shape.

    10 log10(255^2 / mean squared error), infinite for equal images. The error is the mean over
    all values: for RGB, of the three channels together. For several images, average the PSNR
    of each.
    """
    error = (a.double() - b.double()).square().mean()
    return float(10 * torch.log10(255.0**2 / error)) if error > 0 else float("inf")


def luma(image: Tensor) -> Tensor:
    """Y (1, H, W) of a uint8 image (3, H, W), in full range 0 to 255 and rounded.

    An image with a single channel is returned unchanged.
    """
    if image.shape[0] == 1:
        return image
    weights = constant(LUMA, torch.float32, image.device)
    return torch.einsum("chw,c->hw", image.float(), weights)[None].round().to(torch.uint8)


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of two uint8 images (C, H, W), averaged over the channels.

    NaN for images smaller than the window of 11x11. Equals scikit-image's
    structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False) to 1e-6.
    Tiles keep the memory use of large pictures low.
    """
    # Products are in true float32 on GPUs too: jobs/networks/device.py sees to it.
    total, count = torch.zeros((), dtype=torch.float64, device=a.device), 0
    for top in range(0, a.shape[-2] - WINDOW + 1, TILE):
        for left in range(0, a.shape[-1] - WINDOW + 1, TILE):
            tile = (
                slice(None),
                slice(top, top + TILE + WINDOW - 1),
                slice(left, left + TILE + WINDOW - 1),
            )
            similarity, _ = ssim_maps(a[tile].float() / 255, b[tile].float() / 255)
            total += similarity.sum(dtype=torch.float64)
            count += similarity.numel()
    return float(total) / count if count else float("nan")
