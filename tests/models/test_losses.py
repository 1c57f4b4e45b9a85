"""Losses against references, and their gradients against finite differences."""

import pytest
import torch
from pytorch_msssim import ssim as reference_ssim
from scipy import ndimage
from torch import Tensor

from jobs.specs.base import members
from jobs.specs.model import ModelSpec
from models.losses import LOSSES, loss_of, sobel


def images(side: int = 24) -> tuple[Tensor, Tensor]:
    """Output and target, (2, 3, side, side) in float64, smooth enough for SSIM to mean something."""
    random = torch.Generator().manual_seed(3)
    target = torch.nn.functional.interpolate(
        torch.rand(2, 3, 6, 6, generator=random, dtype=torch.float64), (side, side), mode="bilinear"
    )
    return target + 0.05 * torch.randn(target.shape, generator=random, dtype=torch.float64), target


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_loss_is_least_for_equal_images(name: str) -> None:
    output, target = images()
    loss = loss_of(name, {})
    assert float(loss(target, target)) == pytest.approx(0, abs=1.1e-3)
    assert float(loss(output, target)) > float(loss(target, target))


@pytest.mark.parametrize("name", list(LOSSES))
def test_the_gradient_of_a_loss_is_that_of_finite_differences(name: str) -> None:
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


def test_the_ssim_loss_is_one_less_the_reference() -> None:
    output, target = images(32)
    reference = reference_ssim(output, target, data_range=1.0, win_size=11, win_sigma=1.5)
    assert float(loss_of("ssim", {})(output, target)) == pytest.approx(1 - float(reference), abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.84, 1.0])
def test_the_mix_has_the_weights_of_its_parts(weight: float) -> None:
    output, target = images(32)
    parts = [float(loss_of("ms-ssim-l1", {"weight": one})(output, target)) for one in (1.0, 0.0)]
    assert parts[0] == pytest.approx(float(loss_of("ms-ssim", {})(output, target)))
    mixed = float(loss_of("ms-ssim-l1", {"weight": weight})(output, target))
    assert mixed == pytest.approx(weight * parts[0] + (1 - weight) * parts[1])


def test_the_l1_of_the_mix_is_weighted_by_the_gaussian_window() -> None:
    output, target = images(32)
    blurred = ndimage.gaussian_filter((output - target).abs().numpy(), 1.5, truncate=5 / 1.5, axes=(2, 3))[:, :, 5:-5, 5:-5]
    assert float(loss_of("ms-ssim-l1", {"weight": 0.0})(output, target)) == pytest.approx(float(blurred.mean()), rel=1e-6)


def test_sobel_is_that_of_scipy_over_eight() -> None:
    image = images()[0]
    ours = sobel(image).view(2, 3, 2, 22, 22)
    for number, axis in enumerate((1, 0)):
        theirs = [torch.tensor(ndimage.sobel(one.numpy(), axis=axis)[1:-1, 1:-1] / 8) for one in image.view(6, 24, 24)]
        assert torch.allclose(ours[:, :, number].reshape(6, 22, 22), torch.stack(theirs), atol=1e-12)


def test_charbonnier_is_epsilon_where_nothing_differs() -> None:
    target = images()[1]
    assert float(loss_of("charbonnier", {"epsilon": 0.01})(target, target)) == pytest.approx(0.01)


def test_the_spec_of_a_loss_has_its_settings() -> None:
    kinds = members(ModelSpec.model_fields["loss"])
    assert set(kinds) == {*LOSSES, "package", "python"}
    output, target = images()
    for name in LOSSES:
        settings = kinds[name](**{}).model_dump(exclude={"name"})
        assert float(loss_of(name, settings)(output, target)) == pytest.approx(float(loss_of(name, {})(output, target)))
