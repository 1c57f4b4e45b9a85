"""Tests of optimizers: settings, and learning rates of parameters."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from jobs.specs.solvers import LrPolicy, Solver
from jobs.training.solvers import OPTIMIZERS, make_optimizer, rate_at, set_rate
from models.build import GraphNetwork
from models.definitions.graph import INPUT, Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import Conv, Node

SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "adam": ({"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-7}, {"betas": (0.8, 0.99), "eps": 1e-7}),
    "adamw": ({"weight_decay": 0.02}, {"weight_decay": 0.02}),
    "sgd": ({"momentum": 0.8}, {"momentum": 0.8, "nesterov": False}),
    "nesterov": ({"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}),
    "rmsprop": (
        {"decay": 0.95, "epsilon": 1e-7, "momentum": 0.5},
        {"alpha": 0.95, "eps": 1e-7, "momentum": 0.5},
    ),
    "adagrad": ({"epsilon": 1e-9}, {"eps": 1e-9}),
    "adadelta": ({"decay": 0.95}, {"rho": 0.95}),
}


def solver(name: str, **settings: object) -> Solver:
    solver: Solver = TypeAdapter(Solver).validate_python({"name": name, **settings})
    return solver


def net(rate: tuple[float, float]) -> GraphNetwork:
    conv = Conv(1, (3, 3), pad=(1, 1), rate=rate, decay=(1.0, 0.0))
    return GraphNetwork(Graph((Node("conv", conv, (INPUT,)),), "conv", 1), "paper")


@pytest.mark.parametrize("name", list(SETTINGS))
def test_optimizer_has_the_settings_of_its_spec_and_learns(name: str) -> None:
    settings, expected = SETTINGS[name]
    network = net((1.0, 1.0))
    optimizer = make_optimizer(network, solver(name, **settings), paper=False)
    (group,) = optimizer.param_groups
    assert {key: group[key] for key in expected} == expected
    set_rate(optimizer, 0.01, 100)
    image = torch.rand(2, 1, 8, 8)

    def loss() -> torch.Tensor:
        error: torch.Tensor = (network(image) - 0.5).square().mean()
        return error

    before = loss().item()
    for _ in range(20):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < before


def test_factors_of_the_network_apply_if_requested() -> None:
    optimizer = make_optimizer(net((1.0, 2.0)), solver("sgd", weight_decay=0.1), paper=True)
    set_rate(optimizer, 0.5, 100)
    assert sorted((group["lr"], group["weight_decay"]) for group in optimizer.param_groups) == [
        (0.5, 0.1),
        (1.0, 0.0),
    ]
    (group,) = make_optimizer(net((1.0, 2.0)), solver("sgd"), paper=False).param_groups
    assert len(group["params"]) == 2


def test_rate_factor_of_zero_freezes_parameters() -> None:
    network = net((0.0, 1.0))
    optimizer = make_optimizer(network, solver("sgd"), paper=True)
    assert [parameter.requires_grad for parameter in network.parameters()] == [False, True]
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]


def test_last_layer_of_the_paper_has_a_tenth_of_the_rate() -> None:
    network = GraphNetwork(NETWORKS["srcnn-9-1-5"].graph(1), "paper")
    optimizer = make_optimizer(network, solver("sgd"), paper=True)
    set_rate(optimizer, 1.0, 0)
    assert sorted((group["lr"], len(group["params"])) for group in optimizer.param_groups) == [
        (0.1, 2),
        (1.0, 4),
    ]


def test_layers_that_start_as_an_identity_warm_up() -> None:
    network = GraphNetwork(NETWORKS["srcnn-9-1-5"].graph(1), "identity")
    optimizer = make_optimizer(network, solver("adam"), paper=False)
    rates = []
    for step in (0, 24, 49, 1000):
        set_rate(optimizer, 1.0, step)
        rates.append(
            sorted(
                (round(group["lr"], 6), len(group["params"])) for group in optimizer.param_groups
            )
        )
    assert rates == [
        [(0.02, 2), (1.0, 4)],
        [(0.5, 2), (1.0, 4)],
        [(1.0, 2), (1.0, 4)],
        [(1.0, 2), (1.0, 4)],
    ]


def test_learning_rate_follows_the_policy() -> None:
    policy: LrPolicy = TypeAdapter(LrPolicy).validate_python(
        {"name": "exponential", "gamma": 0.5, "per": "epoch"}
    )
    assert rate_at(
        solver("sgd", learning_rate=0.1), policy, 0.5, epochs=4, iterations=100
    ) == pytest.approx(0.1 * 0.5**2)


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize(
    ("name", "options"), [("rmsprop", {"momentum": 0.9}), ("adadelta", {"weight_decay": 0.01})]
)
def test_steps_with_infinite_gradients_are_skipped_without_reading_them(
    monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, float], clipped: bool
) -> None:
    """The same weights as those of PyTorch, whose GradScaler waits for the gradients."""
    own_class, reference_class = (
        OPTIMIZERS[name][0],
        {"rmsprop": torch.optim.RMSprop, "adadelta": torch.optim.Adadelta}[name],
    )
    start = torch.randn(4, 3)
    own, reference = (nn.Parameter(start.clone()) for _ in range(2))
    runs = [
        (weights, optimizer_class([weights], lr=0.1, foreach=True, **options))
        for weights, optimizer_class in ((own, own_class), (reference, reference_class))
    ]
    scalers = [torch.amp.GradScaler("cpu", init_scale=1024.0) for _ in runs]
    for step in range(6):
        factors = torch.randn(4, 3)
        for (weights, optimizer), scaler in zip(runs, scalers, strict=True):
            optimizer.zero_grad()
            scaler.scale((weights * factors).sum()).backward()
            assert weights.grad is not None
            if step in (0, 3):
                weights.grad[0, 0] = torch.inf
            if clipped:
                scaler.unscale_(optimizer)
            with monkeypatch.context() as patches:
                if optimizer is runs[0][1]:
                    patches.delattr(torch.amp.GradScaler, "_maybe_opt_step")
                scaler.step(optimizer)
            scaler.update()
        assert torch.equal(own, reference), step
        assert torch.equal(own, start) == (step == 0)
