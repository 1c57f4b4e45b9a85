"""The optimizer of a spec, and its learning rate at each step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from jobs.specs.solvers import Adadelta, Adam, AdamW, LrPolicy, RmsProp, Solver
from models.build import GraphNetwork
from models.definitions import lr_policies
from models.definitions.operations import Activation, Conv, Scale


class _SkipsOnDevice(torch.optim.Optimizer):
    """Skips a step with infinite gradients without waiting for a GPU.

    In float16, a step is skipped if gradients overflow. PyTorch's fused optimizers decide that on
    the GPU. For the others, torch.amp.GradScaler reads the decision, and the CPU waits in each
    step. These take the step, and put back what it changed.
    """

    _step_supports_amp_scaling = True
    grad_scale: Tensor | None
    found_inf: Tensor
    """GradScaler sets both before a step: the factor of the gradients, and 1 if any is infinite."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if not hasattr(self, "found_inf"):
            return super().step(closure)
        weights = [
            weights
            for group in self.param_groups
            for weights in group["params"]
            if weights.grad is not None
        ]
        with torch.no_grad():
            if self.grad_scale is not None:
                torch._foreach_div_([own.grad for own in weights], self.grad_scale)
            before = {tensor: tensor.clone() for tensor in (*weights, *self._averages())}
            result = super().step(closure)
            skip = self.found_inf > 0
            for tensor in (*weights, *self._averages()):
                # The first step makes the averages, which are zero before.
                old = before[tensor] if tensor in before else torch.zeros_like(tensor)
                tensor.copy_(torch.where(skip, old, tensor))
        return result

    def _averages(self) -> list[Tensor]:
        """The optimizer's state on the device. The number of steps is on the CPU, and not used."""
        return [
            value
            for state in self.state.values()
            for name, value in state.items()
            if isinstance(value, Tensor) and name != "step"
        ]


class _RMSprop(_SkipsOnDevice, torch.optim.RMSprop):
    pass


class _Adadelta(_SkipsOnDevice, torch.optim.Adadelta):
    pass


OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"fused": True}),
    "nesterov": (torch.optim.SGD, {"fused": True, "nesterov": True}),
    "rmsprop": (_RMSprop, {"foreach": True}),
    "adagrad": (torch.optim.Adagrad, {"fused": True}),
    "adadelta": (_Adadelta, {"foreach": True}),
}
"""By the solver's name: PyTorch's class, and options for speed or for the variant."""

SOFT_STEPS = 50
"""Layers that start as part of an identity reach their full rate after this many steps.

Adam's first steps are as long as any other. From zero, all weights of a layer at once, they change
the output strongly (an L1 of 0.03 becomes 0.16), and features that this destroys never recover.
SRCNN 9-1-5 gains +0.32 dB in Y instead of +0.14 dB (1,500 steps, QP 37, on an unseen clip).
"""

TORCH_NAMES = {"epsilon": "eps", "learning_rate": "lr"}


def make_optimizer(net: nn.Module, solver: Solver, paper: bool) -> torch.optim.Optimizer:
    """Create the optimizer, with parameters grouped by their factors of rate and weight decay.

    A factor of 0 freezes a parameter. `paper` applies the network's own factors (lr_mult).
    """
    optimizer_class, options = OPTIMIZERS[solver.name]
    settings = solver.model_dump(exclude={"name", "beta1", "beta2", "decay"})
    settings = {TORCH_NAMES.get(name, name): value for name, value in settings.items()}
    if isinstance(solver, Adam | AdamW):
        settings["betas"] = (solver.beta1, solver.beta2)
    if isinstance(solver, RmsProp):
        settings["alpha"] = solver.decay
    if isinstance(solver, Adadelta):
        settings["rho"] = solver.decay
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    soft = _soft(net)
    for parameter, factors in _factors(net, paper):
        parameter.requires_grad_(factors[0] != 0)
        groups.setdefault((*factors, parameter in soft), []).append(parameter)
    parameter_groups = [
        {
            "params": parameters,
            "factor": rate,
            "soft": soft,
            "weight_decay": solver.weight_decay * decay,
        }
        for (rate, decay, soft), parameters in groups.items()
        if rate
    ]
    return optimizer_class(parameter_groups, **{**settings, **options})


def _factors(net: nn.Module, paper: bool) -> list[tuple[nn.Parameter, tuple[float, float]]]:
    """The parameters with their factors of rate and weight decay."""
    factors: dict[nn.Parameter, tuple[float, float]] = {}
    if isinstance(net, GraphNetwork) and paper:
        for node in net.graph.nodes:
            module = net.layer(node)
            if isinstance(node.op, Conv | Scale):
                own = zip(module.parameters(), node.op.rate, node.op.decay, strict=False)
                factors |= {parameter: (rate, decay) for parameter, rate, decay in own}
            elif isinstance(node.op, Activation):
                factors |= {
                    parameter: (node.op.rate, node.op.decay) for parameter in module.parameters()
                }
    return [(parameter, factors.get(parameter, (1.0, 1.0))) for parameter in net.parameters()]


def _soft(net: nn.Module) -> set[nn.Parameter]:
    """The parameters of layers that start as part of an identity."""
    if not isinstance(net, GraphNetwork):
        return set()
    nodes = (node for node in net.graph.nodes if node.name in net.starts)
    return {parameter for node in nodes for parameter in net.layer(node).parameters()}


def set_rate(optimizer: torch.optim.Optimizer, rate: float, step: int) -> None:
    """Set the learning rate for a step, counted from 0."""
    for group in optimizer.param_groups:
        group["lr"] = (
            rate * group["factor"] * (min(1.0, (step + 1) / SOFT_STEPS) if group["soft"] else 1.0)
        )


def rate_at(
    solver: Solver, policy: LrPolicy, progress: float, epochs: float, iterations: float
) -> float:
    """The learning rate at a progress from 0 to 1.

    `epochs` and `iterations` are those of the whole run.
    """
    settings = policy.model_dump(exclude={"name", "per"})
    if policy.name == "exponential":
        settings["scale"] = lr_policies.decay_scale(policy.per, epochs, iterations)
    return lr_policies.rate(solver.learning_rate, policy.name, progress, settings)
