"""The network in training: its weights, optimizer, weight average, and state for a resume."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from jobs.core.errors import JobError
from jobs.networks.cuda_graph import Graphed, fastest, parts_to_try
from jobs.networks.device import Precision
from jobs.networks.from_spec import make_loss, uses_lr_mult
from jobs.networks.snapshots import State
from jobs.specs import ModelSpec
from jobs.specs.losses import PackageLoss, PythonFileLoss
from jobs.training.placement import Batch
from jobs.training.ranks import Ranks
from jobs.training.solvers import make_optimizer, set_rate
from jobs.training.validation import to_unit_range
from models import memory
from models.average import WeightAverage
from models.build import GraphNetwork
from models.losses import PROPORTIONAL, quantiser_unit
from models.restorer import Restorer

TOO_LITTLE_MEMORY = (
    "The GPU's memory is too small for this training. "
    "Choose a smaller batch size, smaller patches or a smaller network."
)

ShowMessage = Callable[[str], object]


class Learner:
    """Trains the network of a restorer.

    `net` is the network as it was built. The steps run through the same network, wrapped for
    several ranks and compiled. `evaluated` is the restorer that is validated and saved: it has the
    weights themselves, or their moving average. `typical_qp`: that of the training pairs, at which
    differences count as they are where the loss is weighted by QP.
    """

    def __init__(
        self,
        restorer: Restorer,
        spec: ModelSpec,
        precision: Precision,
        ranks: Ranks,
        show_message: ShowMessage,
        typical_qp: float = 0.0,
    ) -> None:
        self._precision, self._ranks, self._show_message = precision, ranks, show_message
        self.net = restorer.net
        self._loss_of = make_loss(spec.loss)
        self._typical_qp = typical_qp
        self._weighted = spec.weight_by_qp and restorer.takes_qp and spec.loss.name in PROPORTIONAL
        self._optimizer = make_optimizer(self.net, spec.solver, uses_lr_mult(spec.network))
        self._scaler = precision.scaler()
        self._clip = spec.gradient_clip
        self._norm: Tensor | None = None
        """The norm of the last step's gradients before clipping."""
        self._average = WeightAverage(self.net, spec.ema) if spec.ema else None
        restorer.dtype = precision.dtype
        self.evaluated = (
            restorer if self._average is None else _with_net(restorer, self._average.module)
        )
        self._wrapped = ranks.wrap(self.net)
        self._restorer = _with_net(restorer, self._wrapped)
        self._plain = self._restorer
        """The restorer of the steps without compiled code."""
        if spec.compile:
            self._restorer = _with_net(restorer, torch.compile(self._wrapped))  # type: ignore[arg-type]
        self._micro_batch = spec.batch_size
        self._graph: Graphed | None = None
        self._may_record = (
            spec.cuda_graph
            and not spec.compile
            and ranks.size == 1
            # The code of others may wait for the GPU, which ends a recording with an error.
            and isinstance(self.net, GraphNetwork)
            and not isinstance(spec.loss, PackageLoss | PythonFileLoss)
        )

    def choose_graph(self, batch: Batch) -> str:
        """Compute the gradients of batches of this shape by a CUDA graph, if that is faster.

        Returns the measured times as a text, or an empty one. Changes nothing else.
        """
        if not self._may_record:
            return ""
        self.net.train()
        device, (_, channels, side, _) = self._precision.device, batch[0].shape
        value_bytes = (self._precision.dtype or torch.float32).itemsize
        # A layer's input and its output.
        patch_bytes = 2 * value_bytes * side**2 * memory.widest(self._plain, channels)
        cache = torch.cuda.get_device_properties(device).L2_cache_size
        parts = parts_to_try(self.net, self._micro_batch, patch_bytes, cache)
        choice = fastest(self._new_gradients, batch, self.net, parts)
        torch.cuda.empty_cache()
        self._graph = choice.graph
        return choice.text

    def learn(self, batch: Batch, step: int, rate: float, weight: float) -> Tensor:
        """Run a step, counted from 0: update the weights by the gradient of a batch.

        Returns the mean loss times `weight`, still on the device.
        """
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
            self._average.update(self.net)
        return loss

    def _gradients(self, batch: Batch, weight: float) -> Tensor:
        """Compute the gradients by the graph if there is one, otherwise in parts.

        If a part does not fit into memory, halve the parts. If the network cannot be compiled,
        continue without.
        """
        if self._graph is not None and self._graph.fits(batch):
            return self._graph(batch)
        while True:
            try:
                return self._new_gradients(batch, self._micro_batch, weight)
            except torch.OutOfMemoryError:
                compiler_failed = False
            except RuntimeError as error:
                if not _is_of_compiler(error):
                    raise
                compiler_failed = True
            # Outside of `except`: the error refers to all intermediate results.
            if compiler_failed:
                self._give_up_compiling()
            else:
                self._halve()

    def _new_gradients(self, batch: Batch, part: int, weight: float = 1.0) -> Tensor:
        """The gradients of a batch, in parts of `part` patches. Returns its loss times `weight`."""
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._precision.device)
        parts = list(zip(*(side.split(part) for side in batch), strict=True))
        for number, (input, target) in enumerate(parts):
            share = weight * len(input) / len(batch[0])
            with self._gradients_not_exchanged(number < len(parts) - 1):
                seen, wanted = (
                    self._restorer.encode(to_unit_range(side, self._precision.device))
                    for side in (input, target)
                )
                output = self._restorer.restore(seen)
                # In float32: shorter formats lose small differences.
                if self._weighted:
                    unit = quantiser_unit(seen[:, wanted.shape[1] :], self._typical_qp)
                    output, wanted = output * unit, wanted * unit
                loss = self._loss_of(output, wanted) * share
                self._scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def _gradients_not_exchanged(self, local: bool) -> AbstractContextManager[Any]:
        """If `local`, ranks do not exchange gradients: they do so once per step."""
        return (
            self._wrapped.no_sync()
            if local and isinstance(self._wrapped, DistributedDataParallel)
            else nullcontext()
        )

    def _give_up_compiling(self) -> None:
        self._restorer = self._plain
        self._show_message(
            "The network could not be compiled: the machine has no working C++ compiler, or the "
            "compiler does not support a layer. The steps run without, more slowly. "
            "worker.log has the error."
        )

    def _halve(self) -> None:
        if self._micro_batch == 1 or self._ranks.size > 1:
            raise JobError(TOO_LITTLE_MEMORY)
        self._micro_batch = -(-self._micro_batch // 2)
        self._graph = None  # It keeps memory of its own.
        torch.cuda.empty_cache()
        self._show_message(
            "The GPU's memory is too small for the whole batch. From now on, it is processed in "
            f"parts of {self._micro_batch} patches, and their gradients are summed. Apart from "
            "rounding, the steps are the same. Batch normalisation sees the parts."
        )

    def gradient_norm(self) -> float:
        """The norm of the last step's gradients before clipping."""
        if self._norm is not None:
            return float(self._norm)
        gradients = [
            parameter.grad for parameter in self.net.parameters() if parameter.grad is not None
        ]
        return float(nn.utils.get_total_norm(gradients)) if gradients else 0.0

    def sync_buffers(self) -> None:
        """Copy rank 0's buffers, such as the means of batch normalisation, to all ranks.

        Call it before a validation.
        """
        self._ranks.broadcast_buffers(self.evaluated.net)

    def weights_are_finite(self) -> bool:
        both = [*self.net.parameters(), *self.evaluated.net.parameters()]
        return bool(torch.stack([weights.detach().isfinite().all() for weights in both]).all())

    def state(self) -> State:
        """The state that a resumed run needs."""
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

    def load_state(self, state: State) -> None:
        self.net.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # Empty in a snapshot of another precision.
            self._scaler.load_state_dict(state["scaler"])
        if self._average is not None and state["average"]:
            self._average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if state["random_gpu"] is not None and self._precision.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_gpu"])


def _is_of_compiler(error: RuntimeError) -> bool:
    """Whether torch.compile raised an error. Its classes are not imported: that takes seconds."""
    if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return False
    print(error, file=sys.stderr)
    return True


def _with_net(restorer: Restorer, net: nn.Module) -> Restorer:
    """A restorer with the same colour conversion and another network."""
    return Restorer(net, restorer.channels, restorer.mean, restorer.dtype)
