"""A network that learns: its weights, what changes them, and the state that a resumed run needs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from jobs.core.errors import JobError
from jobs.networks.device import Precision
from jobs.networks.from_spec import make_loss, uses_its_own_factors
from jobs.networks.snapshots import State
from jobs.specs import ModelSpec
from jobs.training.placement import Batch
from jobs.training.ranks import Ranks
from jobs.training.solvers import make_optimizer, set_rate
from jobs.training.validation import unit
from models.restorer import Restorer

TOO_LITTLE_MEMORY = "The GPU's memory is too small for this. Choose a smaller batch size, smaller patches or a smaller network."

Say = Callable[[str], object]


class Learner:
    """`restorer` holds the network as it was made; what is trained is the same, wrapped in what makes it fast."""

    def __init__(
        self, restorer: Restorer, spec: ModelSpec, precision: Precision, ranks: Ranks, say: Say
    ) -> None:
        self._precision, self._ranks, self._say = precision, ranks, say
        self.net = restorer.net
        self._loss_of = make_loss(spec.loss)
        self._optimizer = make_optimizer(self.net, spec.solver, uses_its_own_factors(spec.network))
        self._scaler = precision.scaler()
        self._clip = spec.gradient_clip
        self._norm: Tensor | None = None
        """Of the gradients before they were clipped."""
        self._average = (
            AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(spec.ema), use_buffers=True)
            if spec.ema
            else None
        )
        restorer.dtype = precision.dtype
        self.kept = restorer if self._average is None else _with_net(restorer, self._average.module)
        """What is validated and kept: the weights themselves, or their moving average."""
        self._fast = ranks.together(self.net)
        if spec.compile:
            self._fast = torch.compile(self._fast)  # type: ignore[assignment]
        self._restorer = _with_net(restorer, self._fast)
        self._restorer.to(precision.device)
        self.kept.to(precision.device)
        self._micro_batch = spec.batch_size

    def learn(self, batch: Batch, step: int, rate: float, weight: float) -> Tensor:
        """A step, counted from 0: change the weights by the gradient of a batch.

        Returns its mean loss times `weight`, still on the device."""
        set_rate(self._optimizer, rate, step)
        self.net.train()
        loss = self._gradients(batch, weight)
        self._norm = None
        if self._clip is not None:
            self._scaler.unscale_(self._optimizer)
            self._norm = nn.utils.clip_grad_norm_(self.net.parameters(), self._clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.net)
        return loss

    def _gradients(self, batch: Batch, weight: float) -> Tensor:
        """In parts that fit into memory: where one does not, in smaller ones."""
        while True:
            try:
                self._optimizer.zero_grad(set_to_none=True)
                return self._backward(batch, weight)
            except torch.OutOfMemoryError:
                pass
            self._halve()  # Not in the except: there, the error still holds on to all that was computed.

    def _backward(self, batch: Batch, weight: float) -> Tensor:
        total = torch.zeros((), device=self._precision.device)
        parts = list(zip(*(side.split(self._micro_batch) for side in batch), strict=True))
        for number, (input, target) in enumerate(parts):
            share = weight * len(input) / len(batch[0])
            with self._gradients_stay_here(number < len(parts) - 1):
                output = self._restorer.restore(
                    self._restorer.encode(unit(input, self._precision.device))
                )
                # In float32: small differences are lost in shorter numbers.
                loss = (
                    self._loss_of(
                        output, self._restorer.encode(unit(target, self._precision.device))
                    )
                    * share
                )
                self._scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def _gradients_stay_here(self, stay: bool) -> AbstractContextManager[Any]:
        """Ranks exchange gradients once a step, with the last part."""
        return (
            self._fast.no_sync()
            if stay and isinstance(self._fast, DistributedDataParallel)
            else nullcontext()
        )

    def _halve(self) -> None:
        if self._micro_batch == 1 or self._ranks.size > 1:
            raise JobError(TOO_LITTLE_MEMORY)
        self._micro_batch = -(-self._micro_batch // 2)
        torch.cuda.empty_cache()
        self._say(
            f"The GPU's memory is too small for a whole batch: from now on {self._micro_batch} patches at a time, "
            "their gradients added up. Steps stay the same, but for rounding; batch normalisation sees these parts."
        )

    def gradient_norm(self) -> float:
        """Of the last step, before it was clipped."""
        if self._norm is not None:
            return float(self._norm)
        gradients = [
            parameter.grad for parameter in self.net.parameters() if parameter.grad is not None
        ]
        return float(nn.utils.get_total_norm(gradients)) if gradients else 0.0

    def settle(self) -> None:
        """Before a validation: what layers count on the way, such as the means of batch normalisation, is rank 0's in all."""
        self._ranks.align(self.kept.net)

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        both = [*self.net.parameters(), *self.kept.net.parameters()]
        return bool(torch.stack([weights.detach().isfinite().all() for weights in both]).all())

    def state(self) -> State:
        return {
            "weights": self.net.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": self._average.state_dict() if self._average is not None else {},
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state()
            if self._precision.device.type == "cuda"
            else None,
        }

    def take_up(self, state: State) -> None:
        self.net.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None and state["average"]:
            self._average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if state["random_gpu"] is not None and self._precision.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_gpu"])


def _with_net(restorer: Restorer, net: nn.Module) -> Restorer:
    """The same colours around another network."""
    return Restorer(net, restorer.channels, restorer.mean, restorer.dtype)
