"""How near two images are: on 8-bit values, as codecs are judged."""

import torch
from torch import Tensor
from torch.nn import functional as F


def to_uint8(image: Tensor) -> Tensor:
    """An image in 0 to 1 as what would be stored: clamped and rounded to uint8."""
    return image.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images of one shape, over all their values.

    10 log10(255^2 / mean squared error); infinite for equal images. For several images, average
    the PSNR of each.
    """
    error = (a.double() - b.double()).square().mean()
    return float(10 * torch.log10(255.0**2 / error)) if error > 0 else float("inf")


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of two uint8 images (C, H, W), at least 11x11, averaged over the channels.

    Wang, Bovik, Sheikh, Simoncelli (2004): Gaussian window of 11x11 with sigma 1.5, K1 = 0.01,
    K2 = 0.03, only where the window lies wholly in the image. Equals scikit-image's
    structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False).
    """
    if min(a.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs at least 11x11 pixels, not {a.shape[-1]}x{a.shape[-2]}")
    x, y = a.double().unsqueeze(1), b.double().unsqueeze(1)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(similarity.mean())


def _blur(images: Tensor) -> Tensor:
    window = torch.exp(-torch.arange(-5, 6, dtype=images.dtype, device=images.device).square() / (2 * 1.5**2))
    window /= window.sum()
    return F.conv2d(F.conv2d(images, window.view(1, 1, 11, 1)), window.view(1, 1, 1, 11))
