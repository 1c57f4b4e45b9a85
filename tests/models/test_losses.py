"""Tests of losses against references, and of gradients against finite differences."""

import numpy as np
import pytest
import torch
from pytorch_msssim import ssim as reference_ssim
from torch import Tensor

from jobs.specs.base import members
from jobs.specs.model import ModelSpec
from models.losses import LOSSES, PROPORTIONAL, loss_of, quantiser_unit, sobel


def images(side: int = 24) -> tuple[Tensor, Tensor]:
    """Output and target, (2, 3, side, side) in float64, smooth enough for a meaningful SSIM."""
    random = torch.Generator().manual_seed(3)
    target = torch.nn.functional.interpolate(
        torch.rand(2, 3, 6, 6, generator=random, dtype=torch.float64), (side, side), mode="bilinear"
    )
    return target + 0.05 * torch.randn(target.shape, generator=random, dtype=torch.float64), target


@pytest.mark.parametrize("name", list(LOSSES))
def test_loss_is_lowest_for_equal_images(name: str) -> None:
    output, target = images()
    loss = loss_of(name, {})
    assert float(loss(target, target)) == pytest.approx(0, abs=1.1e-3)
    assert float(loss(output, target)) > float(loss(target, target))


@pytest.mark.parametrize("name", list(LOSSES))
def test_gradient_equals_finite_differences(name: str) -> None:
    output, target = images()
    output.requires_grad_()
    loss = loss_of(name, {})
    loss(output, target).backward()
    assert output.grad is not None
    for place in ((0, 0, 5, 7), (1, 2, 12, 12), (0, 1, 18, 6)):
        step = torch.zeros_like(output)
        step[place] = 1e-6
        with torch.no_grad():
            slope = float(loss(output + step, target) - loss(output - step, target)) / 2e-6
        assert float(output.grad[place]) == pytest.approx(slope, rel=1e-3, abs=1e-8)


def test_the_unit_of_differences_is_the_quantiser_step_of_a_patch() -> None:
    qp = torch.tensor([[32, 32], [26, 26], [20, 44], [38, 0], [0, 0]])[:, None, None] / 51
    units = quantiser_unit(qp, 32)
    assert units.flatten().tolist() == pytest.approx([1, 2, 1, 0.5, 1], rel=1e-5)
    assert quantiser_unit(torch.zeros(2, 0, 4, 4), 32).flatten().tolist() == [1, 1]


@pytest.mark.parametrize("name", PROPORTIONAL)
def test_losses_are_proportional_to_the_unit_of_differences(name: str) -> None:
    (output, target), loss = images(), loss_of(name, {})
    power = 2 if name == "l2" else 1
    assert float(loss(output * 3, target * 3)) == pytest.approx(
        3**power * float(loss(output, target)), rel=1e-3
    )


def test_ssim_loss_is_one_minus_the_reference() -> None:
    output, target = images(32)
    reference = reference_ssim(output, target, data_range=1.0, win_size=11, win_sigma=1.5)
    assert float(loss_of("ssim", {})(output, target)) == pytest.approx(
        1 - float(reference), abs=1e-6
    )


def gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    """Scipy's Gaussian blur, truncated at the borders and normalised there."""
    from scipy import ndimage

    def blurred(array: np.ndarray) -> np.ndarray:
        return np.asarray(
            ndimage.gaussian_filter(
                array, sigma, mode="constant", truncate=100 / sigma, axes=(2, 3)
            )
        )

    return np.asarray(blurred(image) / blurred(np.ones_like(image)))


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.84, 1.0])
def test_ms_ssim_l1_equals_the_paper(weight: float) -> None:
    """Zhao et al. (2017), equations 6 to 14, written out with scipy."""
    output, target = images(32)
    a, b = output.numpy(), target.numpy()
    similarity = np.ones_like(a)
    for sigma in (0.5, 1, 2, 4, 8):
        mean_a, mean_b = gaussian(a, sigma), gaussian(b, sigma)
        variance_a, variance_b = (
            gaussian(a * a, sigma) - mean_a**2,
            gaussian(b * b, sigma) - mean_b**2,
        )
        covariance = gaussian(a * b, sigma) - mean_a * mean_b
        similarity *= (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2)
    similarity *= (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    expected = weight * (1 - similarity.mean()) + (1 - weight) * gaussian(abs(a - b), 8).mean()
    assert float(loss_of("ms-ssim-l1", {"weight": weight})(output, target)) == pytest.approx(
        expected, rel=1e-6
    )


def test_sobel_is_an_eighth_of_scipy() -> None:
    from scipy import ndimage

    image = images()[0]
    ours = sobel(image).view(2, 3, 2, 22, 22)
    for number, axis in enumerate((1, 0)):
        reference = [
            torch.tensor(ndimage.sobel(channel.numpy(), axis=axis)[1:-1, 1:-1] / 8)
            for channel in image.view(6, 24, 24)
        ]
        assert torch.allclose(
            ours[:, :, number].reshape(6, 22, 22), torch.stack(reference), atol=1e-12
        )


def test_charbonnier_of_equal_images_is_epsilon() -> None:
    target = images()[1]
    assert float(loss_of("charbonnier", {"epsilon": 0.01})(target, target)) == pytest.approx(0.01)


def test_spec_has_the_settings_of_the_loss() -> None:
    kinds = members(ModelSpec.model_fields["loss"])
    assert set(kinds) == {*LOSSES, "package", "python"}
    output, target = images()
    for name in LOSSES:
        settings = kinds[name](**{}).model_dump(exclude={"name"})
        assert float(loss_of(name, settings)(output, target)) == pytest.approx(
            float(loss_of(name, {})(output, target))
        )
