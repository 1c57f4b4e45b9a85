"""Tests of CUDA graphs on a CPU: what is chosen, and that a choice changes no step.

A recording is replaced by a function that computes again, into the tensors of the first time.
"""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jobs.networks import cuda_graph
from jobs.networks.cuda_graph import Batch, fastest, parts_to_try
from jobs.networks.device import Precision
from jobs.networks.snapshots import Kind
from jobs.specs import ModelSpec
from jobs.training.learner import Learner
from jobs.training.ranks import Ranks

CPU = torch.device("cpu")

RANDOM_NET = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "norm" }
layer { name: "drop" type: "Dropout" bottom: "norm" top: "drop" }
layer { name: "last" type: "Convolution" bottom: "drop" top: "last"
  convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "last" top: "sum" }
"""


def times(monkeypatch: pytest.MonkeyPatch, *milliseconds: float) -> None:
    """Set what the measurements find, in their order."""
    found: Iterator[float] = iter(milliseconds)

    def seconds_of(work: Callable[[], object]) -> float:
        for _ in range(2):
            work()
        return next(found) / 1000

    monkeypatch.setattr(cuda_graph, "seconds_of", seconds_of)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """Let recordings work on a CPU. The list takes the network whose gradients they compute."""
    nets: list[nn.Module] = []

    def record(compute: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        weights = list(nets[0].parameters())
        loss = compute()
        gradients = [own.grad for own in weights]

        def replay() -> None:
            kept = [own.grad for own in weights]  # A GPU knows nothing of these attributes.
            loss.copy_(compute())
            for gradient, own, before in zip(gradients, weights, kept, strict=True):
                assert gradient is not None
                assert own.grad is not None
                gradient.copy_(own.grad)
                own.grad = before

        return loss, replay

    monkeypatch.setattr(cuda_graph, "record", record)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    gpu = SimpleNamespace(L2_cache_size=2**20)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    return nets


def learner_of(**settings: Any) -> Learner:
    torch.manual_seed(1)
    spec = ModelSpec.model_validate(
        {"name": "m", "dataset": "abcdefgh", "ema": 0.9, "gradient_clip": 0.01, **settings}
    )
    restorer = Kind(spec.network, spec.channels, 3).restorer()
    return Learner(restorer, spec, Precision("float32", CPU), Ranks(), print)


def batch_of(patches: int) -> Batch:
    random = torch.Generator().manual_seed(patches)
    input, target = (
        torch.randint(0, 255, (patches, 3, 16, 16), dtype=torch.uint8, generator=random)
        for _ in range(2)
    )
    return input, target


@pytest.mark.parametrize("solver", ["adam", "rmsprop"])
@pytest.mark.parametrize("milliseconds", [2, 4])
def test_neither_a_graph_nor_its_measurement_changes_a_step(
    monkeypatch: pytest.MonkeyPatch, recording: list[nn.Module], milliseconds: float, solver: str
) -> None:
    """With a batch of another size in between, as at the end of an epoch."""
    network = {"name": "custom", "prototxt": RANDOM_NET}
    measured, other = (learner_of(network=network, solver={"name": solver}) for _ in range(2))
    recording.append(measured.net)
    times(monkeypatch, 3, milliseconds)
    before = torch.get_rng_state()
    measured.choose_graph(batch_of(4))
    assert (measured._graph is not None) == (milliseconds == 2)
    ends = []
    for learner in (measured, other):
        if learner is other:
            torch.set_rng_state(before)
        losses = [
            float(learner.learn(batch_of(patches), step, 0.01, 1.0))
            for step, patches in enumerate((4, 4, 3, 4, 4))
        ]
        ends.append((losses, learner.gradient_norm(), learner.state()))
    (losses, norm, state), (other_losses, other_norm, other_state) = ends
    assert losses == other_losses
    assert norm == other_norm
    for part in ("weights", "average"):
        assert all(map(torch.equal, state[part].values(), other_state[part].values()))
    assert torch.equal(state["random"], other_state["random"])


@pytest.mark.parametrize(
    ("milliseconds", "chosen", "text"),
    [
        ((3.1, 1.9, 1.7), 32, "in 1.7 ms as a CUDA graph in parts of 32 patches, in 1.9 ms as a"),
        ((3.1, 1.9, 1.88), 64, "in 1.9 ms as a CUDA graph, in 3.1 ms kernel by kernel, in 1.9 ms"),
        ((3.1, 3.0, 3.2), None, "in 3.1 ms kernel by kernel, in 3 ms as a CUDA graph, in 3.2 ms"),
        ((25.0,), None, ""),
    ],
)
def test_the_fastest_way_is_chosen_and_told(
    monkeypatch: pytest.MonkeyPatch,
    recording: list[nn.Module],
    milliseconds: tuple[float, ...],
    chosen: int | None,
    text: str,
) -> None:
    net = nn.Conv2d(3, 3, 1)
    recording.append(net)
    parts: list[int] = []

    def gradients(batch: Batch, part: int) -> Tensor:
        parts.append(part)
        net.zero_grad()
        loss: Tensor = net(batch[0] / 255).mean()
        loss.backward()
        return loss.detach()

    times(monkeypatch, *milliseconds)
    choice = fastest(gradients, batch_of(64), net, [64, 32])
    assert choice.text.removeprefix("Gradients ").startswith(text)
    parts.clear()
    if choice.graph is not None:
        choice.graph(batch_of(64))
    assert parts == ([] if chosen is None else [chosen])


def test_what_cannot_be_recorded_is_computed_kernel_by_kernel(
    monkeypatch: pytest.MonkeyPatch,
    recording: list[nn.Module],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(compute: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graph, "record", fail)
    times(monkeypatch, 3)
    learner = learner_of()
    assert learner.choose_graph(batch_of(4)).endswith("worker.log has the error")
    assert "not permitted" in capsys.readouterr().err
    assert math.isfinite(learner.learn(batch_of(4), 0, 0.01, 1.0))


def test_a_batch_that_exceeds_the_memory_is_left_to_the_training(
    monkeypatch: pytest.MonkeyPatch, recording: list[nn.Module]
) -> None:
    def fail(work: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(cuda_graph, "seconds_of", fail)
    assert learner_of().choose_graph(batch_of(4)) == ""


@pytest.mark.parametrize(
    "settings",
    [{"cuda_graph": False}, {"compile": True}, {"loss": {"name": "python", "file": "/loss.py"}}],
)
def test_nothing_is_measured_where_no_graph_is_possible(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr("jobs.training.learner.make_loss", lambda spec: nn.L1Loss())
    monkeypatch.setattr(torch, "compile", lambda net: net)
    assert learner_of(**settings).choose_graph(batch_of(4)) == ""


def test_parts_stay_in_the_cache_unless_layers_look_at_the_whole_batch() -> None:
    plain, whole = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)
    assert parts_to_try(plain, 512, 2**20, 50 * 2**20) == [512, 32]
    assert parts_to_try(plain, 512, 2**23, 50 * 2**20) == [512]
    assert parts_to_try(plain, 32, 2**20, 50 * 2**20) == [32]
    assert parts_to_try(whole, 512, 2**20, 50 * 2**20) == [512]
