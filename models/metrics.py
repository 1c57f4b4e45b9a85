"""How near two images are: on 8-bit values, as codecs are judged."""

import torch
from torch import Tensor

from models.similarity import WINDOW, ssim_maps

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in Y (ITU-R BT.601)."""


TILE = 246
"""Side of the squares of places at which SSIM is computed at a time."""


def to_uint8(image: Tensor) -> Tensor:
    """An image in 0 to 1 as what would be stored: clamped and rounded to uint8."""
    return image.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images of one shape, over all their values: for RGB, the mean
    squared error is that of the three channels together.

    10 log10(255^2 / mean squared error); infinite for equal images. For several images, average
    the PSNR of each.
    """
    error = (a.double() - b.double()).square().mean()
    return float(10 * torch.log10(255.0**2 / error)) if error > 0 else float("inf")


def luma(image: Tensor) -> Tensor:
    """Y of a uint8 image (3, H, W), in full range 0 to 255 and rounded, (1, H, W); one channel stays as it is."""
    if image.shape[0] == 1:
        return image
    weights = torch.tensor(LUMA, device=image.device)
    return torch.einsum("chw,c->hw", image.float(), weights)[None].round().to(torch.uint8)


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of two uint8 images (C, H, W), at least 11x11, averaged over the channels.

    Equals scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False) to 1e-6.
    Tile by tile, so that a large picture takes little memory; NaN for pictures smaller than the window.
    """
    # In float32 a GPU may compute products in TF32, which is too coarse for this.
    dtype = torch.float64 if a.is_cuda else torch.float32
    total, count = 0.0, 0
    for top in range(0, a.shape[-2] - WINDOW + 1, TILE):
        for left in range(0, a.shape[-1] - WINDOW + 1, TILE):
            tile = (
                slice(None),
                slice(top, top + TILE + WINDOW - 1),
                slice(left, left + TILE + WINDOW - 1),
            )
            similarity, _ = ssim_maps(a[tile].to(dtype) / 255, b[tile].to(dtype) / 255)
            total, count = (
                total + float(similarity.sum(dtype=torch.float64)),
                count + similarity.numel(),
            )
    return total / count if count else float("nan")
