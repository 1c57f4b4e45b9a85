"""Tests of a learner on its own: compilation that fails, and ranks that exchange gradients."""

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from jobs.core.errors import JobError
from jobs.networks import device
from jobs.networks.device import Precision, choose_precision
from jobs.networks.snapshots import Kind
from jobs.specs import ModelSpec
from jobs.training.learner import Learner
from jobs.training.ranks import Ranks
from models.average import WeightAverage

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def learner_of(messages: list[str], ranks: Ranks) -> Learner:
    spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", "compile": True})
    restorer = Kind(spec.network, spec.channels, 3).restorer()
    return Learner(restorer, spec, Precision("float32", CPU), ranks, messages.append)


def test_a_run_continues_in_another_precision() -> None:
    """As on another GPU, or where "auto" chooses another one than an earlier Clearframe did."""
    spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh"})

    def learner(precision: str) -> Learner:
        restorer = Kind(spec.network, spec.channels, 3).restorer()
        return Learner(restorer, spec, Precision(precision, CPU), Ranks(), print)

    patches = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    for before, after in (("float32", "float16"), ("float16", "float32")):
        continued = learner(after)
        continued.load_state(learner(before).state())
        assert continued.learn((patches, patches), 0, 0.1, 1.0).isfinite()


@pytest.mark.parametrize(
    ("network", "loss", "factor"),
    [
        ({"name": "ecbnet"}, "l1", 2),
        ({"name": "ffdnet"}, "l2", 4),
        ({"name": "ecbnet", "qp": False}, "l1", 1),
        ({"name": "ecbnet"}, "ssim", 1),
    ],
)
def test_differences_count_in_quantiser_steps_where_the_network_takes_the_qp(
    network: dict[str, str | bool], loss: str, factor: float
) -> None:
    """At QP 26, a step is half as large as at the typical QP."""
    torch.manual_seed(0)
    input, target = torch.randint(0, 255, (2, 4, 4, 16, 16), dtype=torch.uint8)
    input[:, 3] = 5 * 26
    first = {}
    for weight in (True, False):
        spec = ModelSpec.model_validate(
            {"name": "m", "dataset": "abcdefgh", "weight_by_qp": weight}
            | {"network": network, "loss": {"name": loss}}
        )
        restorer = Kind(spec.network, spec.channels, 3).restorer()
        learner = Learner(restorer, spec, Precision("float32", CPU), Ranks(), print, typical_qp=32)
        seen = input if restorer.takes_qp else input[:, :3]
        first[weight] = float(learner.learn((seen, target[:, :3]), 0, 0.001, 1.0))
    assert first[True] == pytest.approx(factor * first[False], rel=1e-4)


class WithoutCompiler(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        from torch._inductor.exc import InductorError  # Here, since it loads the compiler.

        raise InductorError(RuntimeError("Failed to find C compiler"), None)


def test_without_a_compiler_the_steps_run_uncompiled_and_a_message_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "compile", lambda net: WithoutCompiler())
    messages: list[str] = []
    learner = learner_of(messages, Ranks())
    patches = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    for step in range(2):
        assert learner.learn((patches, patches), step, 0.1, 1.0).isfinite()
    assert [text.partition(":")[0] for text in messages] == ["The network could not be compiled"]
    assert "Failed to find C compiler" in capsys.readouterr().err


def test_compiled_ranks_exchange_gradients_once_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", nn.Sequential)
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        learner = learner_of([], Ranks(0, 2))
        exchanging = learner._wrapped
        assert isinstance(exchanging, DistributedDataParallel)
        with learner._gradients_not_exchanged(True):
            assert not exchanging.require_backward_grad_sync
        with learner._gradients_not_exchanged(False):
            assert exchanging.require_backward_grad_sync
    finally:
        dist.destroy_process_group()


def test_average_equals_that_of_pytorch_and_reads_its_states() -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    own = WeightAverage(net, 0.9)
    reference = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for step in range(4):
        for values in (*net.parameters(), net.get_buffer("1.running_mean")):
            nn.init.normal_(values)
        own.update(net)
        reference.update_parameters(net)
        if step == 1:
            own.load_state_dict(reference.state_dict())
    states = own.state_dict(), reference.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((9, 0), "bfloat16"), ((7, 5), "float16"), ((7, 0), "float16"), ((6, 1), "float32")],
)
def test_precision_follows_the_hardware(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(device, "computes_bfloat16", lambda device: capability >= (8, 0))
    for switch in ("allow_tf32", "benchmark"):
        monkeypatch.setattr(torch.backends.cudnn, switch, False)
    assert choose_precision("auto", GPU).name == precision
    if capability < (8, 0):
        with pytest.raises(JobError, match=r"compute capability 8\.0"):
            choose_precision("tf32", GPU)
    else:
        choose_precision("tf32", GPU)
        assert torch.backends.cudnn.allow_tf32
        choose_precision("float32", GPU)
        assert not torch.backends.cudnn.allow_tf32


def test_inference_computes_in_true_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    device.choose_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
