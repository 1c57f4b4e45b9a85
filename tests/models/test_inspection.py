"""Layers, their numbers and their pictures."""

import pytest
import torch

from models.build import GraphNetwork
from models.inspection import channel_grid, statistics, watch_layers, weight_grid
from models.networks import NETWORKS


def test_layers_are_seen_in_the_order_in_which_they_run() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    with watch_layers(
        net := GraphNetwork(NETWORKS["srcnn-9-1-5"].graph(3)),
        lambda name, module, output: seen.append((name, tuple(output.shape))),
    ):
        net(torch.rand(1, 3, 16, 20))
    assert [name for name, _ in seen] == ["conv1", "relu1", "conv2", "relu2", "conv3", "sum"]
    assert seen[0][1] == (1, 64, 16, 20)
    net(torch.rand(1, 3, 16, 20))
    assert len(seen) == 6, "no hook stays behind"


def test_statistics_count_every_value() -> None:
    values = torch.tensor([[0.0, 0.0, 1.0, 3.0]])
    found = statistics(values, bins=3)
    assert (found["mean"], found["min"], found["max"], found["zero_share"]) == (1.0, 0.0, 3.0, 0.5)
    assert found["std"] == pytest.approx(values.numpy().std())
    assert found["histogram"]["counts"] == [2, 1, 1]


def test_statistics_of_a_constant_layer() -> None:
    assert sum(statistics(torch.zeros(3, 4))["histogram"]["counts"]) == 12


def test_the_grid_shows_every_channel() -> None:
    maps = torch.arange(10.0)[:, None, None].expand(10, 5, 5)
    grid, (low, high) = channel_grid(maps)
    assert (low, high) == (0, 9)
    assert {round(255 * value / 9) for value in range(10)} <= set(grid.unique().tolist())


def test_the_grid_of_wide_layers_is_made_smaller_and_still_shows_every_channel() -> None:
    maps = torch.arange(64.0)[:, None, None].expand(64, 30, 1000)
    grid, _ = channel_grid(maps)
    assert grid.shape[1] < 2500
    assert {round(255 * value / 63) for value in range(64)} <= set(grid.unique().tolist())


def test_the_grid_of_weights_shows_every_kernel() -> None:
    grid = weight_grid(torch.rand(6, 2, 3, 3))
    assert tuple(grid.shape) == (2 * 13 + 1, 6 * 13 + 1)
    # One row would be a sliver.
    assert tuple(weight_grid(torch.rand(64, 1, 3, 3)).shape) == (8 * 13 + 1, 8 * 13 + 1)
