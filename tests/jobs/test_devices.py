"""Tests of the work on a GPU without one: tensors without values that claim to be on cuda:0.

A tensor left on the CPU fails in the first operation with one on the GPU; reading a value, which
would let the CPU wait for the GPU, fails too. Copies from the CPU, which also wait, are counted.
PyTorch's autograd engine needs a driver, so `backward` only sets gradients.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from jobs.networks.device import Precision
from jobs.networks.snapshots import Kind
from jobs.specs import ModelSpec
from jobs.specs.losses import Loss
from jobs.specs.networks import Network
from jobs.specs.solvers import Solver
from jobs.training.learner import Learner
from jobs.training.placement import Batch
from jobs.training.ranks import Ranks
from models import memory, similarity, tiles
from models.inspection import watch_layers
from models.restorer import Restorer, channels_seen

# A start with random orthogonal weights looks at memory that is not there.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")

GPU = torch.device("cuda", 0)
FOREIGN = {"custom", "package", "python"}
SIDE = 64


def names_of(union: Any) -> list[str]:
    """The names of the built-in kinds of a section of a spec."""
    kinds = get_args(get_args(union)[0])
    return sorted({kind.model_fields["name"].default for kind in kinds} - FOREIGN)


class CopiesFromCpu(TorchDispatchMode):
    """Lists the operations that copy from the CPU to the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = str(func)
        if "_fused_" in name:  # The optimizers' kernels cannot run without values.
            tensors = [tensor for group in args if isinstance(group, list) for tensor in group]
            assert {tensor.device for tensor in tensors} == {GPU}, name
            return None
        output = func(*args, **(kwargs or {}))
        # A number in a tensor without dimensions is passed to a kernel by its value.
        sources = [
            value.device.type for value in args if isinstance(value, Tensor) and "copy" in name
        ]
        if "cpu" in sources and isinstance(output, Tensor) and output.device == GPU:
            self.found.append(name)
        return output


@pytest.fixture(autouse=True)
def _without_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(FakeTensorMode, "__deepcopy__", lambda self, memo: self, raising=False)
    similarity.constant.cache_clear()
    with FakeTensorMode():
        yield
    similarity.constant.cache_clear()


def on_gpu(module: nn.Module) -> None:
    """Move a module, as `to` does, which cannot move it to a device that is not there."""
    for part in module.modules():
        for name, weights in part._parameters.items():
            if weights is not None:
                part._parameters[name] = nn.Parameter(_on_gpu(weights))
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = _on_gpu(buffer)


def _on_gpu(values: Tensor) -> Tensor:
    return torch.empty_strided(values.shape, values.stride(), dtype=values.dtype, device=GPU)


def restorer_of(spec: ModelSpec) -> Restorer:
    with unset_fake_temporarily():
        restorer = Kind(spec.network, spec.channels, 3).restorer()
        restorer.mean = torch.full((channels_seen(spec.channels, 3),), 0.5)
    on_gpu(restorer)
    return restorer


def learned(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> list[str]:
    """The copies from the CPU in the third step of a training with these settings."""
    settings = {"ema": 0.9, "gradient_clip": 1, "batch_size": 2, "channels": "ycbcr", **fields}
    spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", **settings})
    learner = Learner(restorer_of(spec), spec, Precision("float32", GPU), Ranks(), print)

    def backward(loss: Tensor) -> None:
        assert loss.device == GPU
        assert loss.requires_grad
        for weights in learner.net.parameters():
            weights.grad = torch.zeros_like(weights)

    monkeypatch.setattr(Tensor, "backward", backward)
    batch: Batch = tuple(
        torch.zeros(3, 3, SIDE, SIDE, dtype=torch.uint8, device=GPU) for _ in range(2)
    )  # type: ignore[assignment]
    copies = CopiesFromCpu()
    for step in range(3):
        copies.found.clear()
        with copies:
            loss = learner.learn(batch, step, 0.1, 1.0)
    assert loss.device == GPU
    assert {value.device for value in learner.evaluated.state_dict().values()} == {GPU}
    return copies.found


@pytest.mark.parametrize("name", names_of(Network))
def test_networks_train_on_a_gpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert learned(monkeypatch, network={"name": name}) == []


@pytest.mark.parametrize("name", names_of(Loss))
def test_losses_do_not_wait_for_the_gpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert learned(monkeypatch, loss={"name": name}) == []


@pytest.mark.parametrize("name", names_of(Solver))
def test_solvers_do_not_wait_for_the_gpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert learned(monkeypatch, solver={"name": name}) == []


@pytest.mark.parametrize("name", names_of(Network))
def test_images_are_restored_on_a_gpu_in_tiles(name: str) -> None:
    spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", "network": {"name": name}})
    restorer = restorer_of(spec).eval()
    image = torch.zeros(1, 3, 300, 500, dtype=torch.uint8)
    limit = int(150 * 250 * memory.bytes_per_pixel(restorer, 3))
    assert len(tiles.plan(restorer, image.shape, limit)) > 1
    output = tiles.restore(restorer, image, limit)
    assert (output.shape, output.device.type) == (image.shape, "cpu")
    devices = []
    with watch_layers(restorer.net, lambda name, module, maps: devices.append(maps.device)):
        restorer(image.to(GPU) / 255)
    assert set(devices) == {GPU}
