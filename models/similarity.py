"""Differentiable structural similarity, the basis of metrics and losses."""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of MS-SSIM, finest first (Wang, Simoncelli, Bovik 2003)."""

SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Standard deviations in pixels of MS-SSIM at full size (Zhao et al. 2017, section III)."""


def ssim_maps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of SSIM and of its factor for contrast and structure, for images (N, C, H, W) in 0 to 1.

    Only places with the whole window inside the image count. Wang, Bovik, Sheikh, Simoncelli
    (2004): Gaussian window of 11x11 with sigma 1.5, population variances. Raises ValueError
    for images smaller than the window.
    """
    if min(a.shape[-2:]) < WINDOW:
        raise ValueError(
            f"SSIM needs at least {WINDOW}×{WINDOW} pixels, not {a.shape[-1]}×{a.shape[-2]}"
        )
    light, contrast = _light_and_contrast(a, b, blur)
    return light * contrast, contrast


def _light_and_contrast(
    a: Tensor, b: Tensor, blur: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM, l and cs."""
    # Variances do not depend on a shift, and values around zero have smaller rounding errors.
    a, b = a - 0.5, b - 0.5
    mean_a, mean_b, squares, product = blur(torch.stack((a, b, a * a + b * b, a * b)))
    variances = squares - mean_a**2 - mean_b**2
    contrast = (2 * (product - mean_a * mean_b) + C2) / (variances + C2)
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    return (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1), contrast


@cache
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on a device, copied there once: each copy would let the caller wait for a GPU."""
    with torch.inference_mode(False):  # Validation may ask first, and training needs it too.
        return torch.tensor(values, dtype=dtype, device=device)


def blur(images: Tensor) -> Tensor:
    """Blur images (..., H, W) by the Gaussian window, at places with the whole window inside.

    Uses products with banded matrices: on a CPU five to ten times as fast as convolutions of a
    single channel.
    """
    height, width = images.shape[-2:]
    return _band(height, images) @ images @ _band(width, images).T


def _band(side: int, like: Tensor) -> Tensor:
    """A matrix (side - 10, side): each row is the window, shifted by a place per row."""
    places = torch.arange(side, device=like.device)
    distance = places[None, :] - places[: side - WINDOW + 1, None] - WINDOW // 2
    window = torch.exp(-distance.to(like.dtype).square() / (2 * SIGMA**2)) * (
        distance.abs() <= WINDOW // 2
    )
    return window / window.sum(1, keepdim=True)


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """MS-SSIM (N,) of images (N, C, H, W) in 0 to 1, averaged over the channels.

    Wang, Simoncelli, Bovik (2003). Uses as many of the five scales as leave room for the
    window; their exponents are rescaled to the same sum.
    """
    scales = scales_for(min(a.shape[-2:]))
    exponents = constant(SCALES[:scales], a.dtype, a.device)
    exponents = exponents / exponents.sum()
    parts = []
    for scale in range(scales):
        similarity, contrast = ssim_maps(a, b)
        # A negative correlation has no real root, so it counts as zero.
        parts.append(
            (similarity if scale == scales - 1 else contrast).mean((-2, -1)).clamp(min=1e-6)
        )
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(parts, -1).pow(exponents).prod(-1).mean(-1)


def full_size_ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """MS-SSIM at each place of images (N, C, H, W) in 0 to 1 without downsampling.

    As in Zhao, Gallo, Frosio and Kautz (2017): the scales are Gaussians of SIGMAS, and all
    exponents are 1. The borders of the image truncate the Gaussians.
    """
    similarity = torch.ones((), dtype=a.dtype, device=a.device)
    for sigma in SIGMAS:
        light, contrast = _light_and_contrast(a, b, partial(blur_to_the_border, sigma=sigma))
        similarity = similarity * contrast
    return similarity * light


def blur_to_the_border(images: Tensor, sigma: float) -> Tensor:
    """Blur images (..., H, W) by a Gaussian at all places.

    The weights at each place sum up to 1.
    """
    height, width = images.shape[-2:]
    return _gaussians(height, sigma, images) @ images @ _gaussians(width, sigma, images).T


def _gaussians(side: int, sigma: float, like: Tensor) -> Tensor:
    """A matrix (side, side): each row is a Gaussian around its place."""
    places = torch.arange(side, device=like.device, dtype=like.dtype)
    weights = torch.exp(-(places[None, :] - places[:, None]).square() / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def scales_for(side: int) -> int:
    """The number of scales for images with that shorter side, at least 1."""
    return max(1, sum(side >> scale >= WINDOW for scale in range(len(SCALES))))
