"""Histograms of weights: their counts and range, and their bounded size."""

import json

import torch
from torch import nn

from jobs.networks.histograms import BINS, MOST_LAYERS, histograms_of


def test_histograms_count_all_weights_and_gradients_of_a_layer() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    before = histograms_of(net)
    assert [layer["name"] for layer in before] == ["0", "2"]
    assert before[0]["gradients"] is None
    net(torch.rand(2, 1, 8, 8)).mean().backward()
    first = histograms_of(net)[0]
    assert first["weights"] is not None
    assert first["gradients"] is not None
    assert sum(first["weights"]["counts"]) == 4 * 9
    assert len(first["weights"]["counts"]) == BINS
    assert first["weights"]["low"] == float(net[0].weight.detach().min())  # type: ignore[operator]
    assert sum(first["gradients"]["counts"]) == 4 * 9


def test_equal_values_are_counted_and_infinite_ones_are_not() -> None:
    net = nn.Conv2d(1, 1, 3)
    nn.init.zeros_(net.weight)
    (layer,) = histograms_of(net)
    assert layer["weights"] is not None
    assert sum(layer["weights"]["counts"]) == 9
    nn.init.constant_(net.weight, float("nan"))
    assert histograms_of(net)[0]["weights"] is None


def test_the_size_of_an_event_is_bounded() -> None:
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3 * MOST_LAYERS)))
    layers = histograms_of(net)
    assert len(layers) == MOST_LAYERS
    assert len(json.dumps(layers)) < 32_000
