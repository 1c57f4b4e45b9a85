"""Tests of layer statistics and pictures."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.build import GraphNetwork
from models.central_part import middle
from models.definitions.networks import NETWORKS
from models.inspection import (
    MAX_WIDTH,
    ZERO_GRAY,
    LayerValues,
    kernel_pages,
    maps_of,
    receptive_fields_of,
    strongest,
    watch_layers,
    weights_of,
)
from models.restorer import Restorer


def srcnn() -> GraphNetwork:
    return GraphNetwork(NETWORKS["srcnn-9-1-5"].graph(3))


def test_reports_layers_in_execution_order() -> None:
    outputs: list[tuple[str, tuple[int, ...]]] = []
    with watch_layers(
        net := srcnn(), lambda name, module, output: outputs.append((name, tuple(output.shape)))
    ):
        net(torch.rand(1, 3, 16, 20))
    assert [name for name, _ in outputs] == ["conv1", "relu1", "conv2", "relu2", "conv3", "sum"]
    assert outputs[0][1] == (1, 64, 16, 20)
    net(torch.rand(1, 3, 16, 20))
    assert len(outputs) == 6, "all hooks are removed"


def test_statistics_cover_all_values() -> None:
    values = torch.relu(torch.randn(5, 37, 53, generator=torch.Generator().manual_seed(0))) * 3
    statistics = LayerValues(values).statistics()
    assert statistics["mean"] == pytest.approx(float(values.mean()), rel=1e-5)
    assert statistics["std"] == pytest.approx(float(values.std(correction=0)), rel=1e-5)
    assert (statistics["min"], statistics["max"]) == (0, float(values.max()))
    assert statistics["zero_share"] == pytest.approx(float((values == 0).float().mean()))
    expected = np.histogram(values.numpy(), 40, (0, float(values.max())))[0]
    assert sum(statistics["histogram"]["counts"]) == values.numel()
    assert np.abs(np.array(statistics["histogram"]["counts"]) - expected).max() <= 2, (
        "a value on an edge may count in either bin"
    )


def test_statistics_of_a_constant_layer() -> None:
    statistics = LayerValues(torch.full((2, 3, 4), 7.0)).statistics()
    assert (statistics["std"], sum(statistics["histogram"]["counts"])) == (0, 24)


def test_keeps_a_small_deviation_far_from_zero() -> None:
    values = 1000 + torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.01
    assert LayerValues(values).statistics()["std"] == pytest.approx(
        float(values.double().std(correction=0)), rel=0.01
    )


def test_counts_values_that_are_not_finite() -> None:
    values = torch.ones(2, 3, 4)
    values[0, 0, :2], values[1, 2, 3] = torch.nan, torch.inf
    statistics = LayerValues(values).statistics()
    assert (statistics["not_finite"], statistics["max"], statistics["min"]) == (3, 1, 0)


def test_all_zero_channels_are_dead() -> None:
    values = torch.rand(4, 5, 5)
    values[1], values[2] = 0, 3
    assert LayerValues(values).dead == [1]


def test_page_shows_each_channel_over_its_own_range() -> None:
    values = torch.rand(7, 5, 6, generator=torch.Generator().manual_seed(0)) * 10 - 3
    layer = LayerValues(values)
    (page,) = layer.pages()
    assert (page.count, page.columns, page.width, page.height) == (7, 3, 6, 5)
    for channel in range(7):
        top, left = channel // 3 * 5, channel % 3 * 6
        tile = page.picture[top : top + 5, left : left + 6]
        low, high = layer.low[channel], layer.high[channel]
        restored = low + tile / 255 * (high - low)
        assert np.abs(restored - values[channel].numpy()).max() <= (high - low) / 255 / 2 + 1e-5
        assert np.array_equal(tile, layer.picture(channel))


def test_pages_include_all_channels() -> None:
    pages = list(LayerValues(torch.rand(150, 4, 4)).pages())
    assert [(page.first, page.count) for page in pages] == [(0, 64), (64, 64), (128, 22)]


def test_wide_channels_shrink_by_mean_of_pixels() -> None:
    values = torch.zeros(64, 10, 1000)
    values[:, :, ::2], values[0, :, 0] = 1, 2
    (page,) = LayerValues(values).pages()
    assert page.columns * page.width <= MAX_WIDTH
    assert 127 <= page.picture[page.height :].mean() <= 128, "half of all pixels are at the maximum"


def test_kernel_pages_include_all_weights_centred_on_zero() -> None:
    kernels = torch.rand(70, 65, 3, 2) - 0.7
    pages = list(kernel_pages(kernels))
    assert [(page.outputs, page.inputs) for page in pages] == [
        ((0, 64), (0, 64)),
        ((0, 64), (64, 1)),
        ((64, 6), (0, 64)),
        ((64, 6), (64, 1)),
    ]
    assert sum(page.page.count for page in pages) == 70 * 65
    first, reach = pages[0].page, float(kernels.abs().max())
    tile = first.picture[2 * 3 : 3 * 3, 5 * 2 : 6 * 2]  # Input 2, output 5.
    assert (
        np.abs(
            (tile.astype(float) - ZERO_GRAY) / (ZERO_GRAY - 1) * reach - kernels[5, 2].numpy()
        ).max()
        <= reach / (ZERO_GRAY - 1) / 2 + 1e-6
    )
    (wrapped,) = kernel_pages(torch.rand(64, 1, 9, 9))
    assert wrapped.page.columns == 8, "a single row would be very thin"


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), (6, 2, 3, 3)),
        (nn.ConvTranspose2d(4, 6, 3), (6, 4, 3, 3)),
        (nn.ConvTranspose2d(4, 6, 3, groups=2), (6, 2, 3, 3)),
        (nn.PReLU(5), (5, 1, 1, 1)),
        (nn.Linear(3, 2), (2, 3, 1, 1)),
        (nn.BatchNorm2d(3, affine=False), None),
        (nn.ReLU(), None),
    ],
)
def test_weights_of_any_layer(module: nn.Module, shape: tuple[int, ...] | None) -> None:
    weights = weights_of(module)
    assert (None if weights is None else tuple(weights.shape)) == shape


def test_kernels_of_a_transposed_convolution_belong_to_their_output_and_input() -> None:
    module = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)
    weights = weights_of(module)
    assert weights is not None
    for output in range(6):
        for number, input in enumerate((0, 1) if output < 3 else (2, 3)):
            spike = torch.zeros(1, 4, 1, 1)
            spike[0, input] = 1
            assert torch.equal(module(spike)[0, output], weights[output, number])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, 4, 5), (3, 4, 5)),
        ((1, 9, 8), (1, 9, 8)),
        ((6, 2, 4, 4), (12, 4, 4)),
        ((1, 7), (1, 1, 7)),
    ],
)
def test_outputs_of_any_rank_become_maps(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert tuple(maps_of(torch.rand(shape)).shape) == expected


def test_receptive_field_contains_all_pixels_that_change_a_layer() -> None:
    net = srcnn()
    fields, outputs = receptive_fields_of(net), list[Tensor]()
    for image in (
        torch.zeros(1, 3, 40, 40),
        torch.zeros(1, 3, 40, 40).index_fill_(3, torch.tensor([20]), 1.0),
    ):
        with watch_layers(
            net, lambda name, module, output: outputs.append(output) if name == "conv3" else None
        ):
            nn.init.constant_(net.get_submodule("conv3").weight, 0.1)  # type: ignore[arg-type]
            net(image)
    changed = (outputs[0] != outputs[1])[0, 0].any(0).nonzero().flatten()
    field = fields[net.get_submodule("conv3")][1]
    assert (int(changed.min()), int(changed.max())) == (int(20 - field.high), int(20 - field.low))


def test_strongest_places_keep_their_spacing() -> None:
    values = np.zeros((20, 30), np.float32)
    values[5, 5], values[5, 7], values[5, 8], values[19, 29] = 9, 8, 7, 6
    assert strongest(values, (3, 3)) == [(5, 5), (5, 8), (19, 29)]
    assert strongest(np.full((4, 4), 2, np.float32), (1, 1)) == [], (
        "a constant has no strongest place"
    )
    assert len(strongest(np.random.default_rng(0).random((30, 30), np.float32), (1, 1))) == 9


def test_largest_central_part_fits_into_memory() -> None:
    restorer = Restorer(srcnn(), "rgb")
    assert middle(restorer, (3, 100, 200), 2**30) is None
    part = middle(restorer, (3, 2000, 4000), 2**30)
    assert part is not None
    assert part.height * part.width * part.bytes / (2000 * 4000) == pytest.approx(2**30, rel=0.01)
    assert (part.left + part.width / 2, part.top + part.height / 2) == pytest.approx(
        (2000, 1000), abs=1
    )
    assert part.width / part.height == pytest.approx(2, rel=0.01)
    least = middle(restorer, (3, 2000, 50), 1)
    assert least is not None
    assert (least.width, least.height) == (50, 64)
