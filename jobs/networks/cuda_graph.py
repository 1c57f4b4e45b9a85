"""CUDA graphs: the kernels of a step's gradients, recorded once and submitted to the GPU together.

A step of a small network is about 70 kernels. With few patches, a GPU computes a kernel faster than
the CPU submits the next one. A measurement at the start of a training decides what is faster.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

WARM_UPS = 3
"""Calls before a recording, as PyTorch's documentation asks, and before a measurement."""
MEASURED_SECONDS, CALLS = 0.2, 5
"""The time of a measurement, and the calls between two looks at the clock."""
LONG = 0.02
"""Seconds of a step in which submitting its kernels does not matter."""
WORTHWHILE = 0.95
"""Another way is chosen if it takes at most this share of the time."""
FEWEST_PATCHES = 16
"""Smaller parts leave most of a GPU idle."""

Batch = tuple[Tensor, Tensor]

Gradients = Callable[[Batch, int], Tensor]
"""Computes new gradients of a batch, in parts of at most so many patches; returns the loss."""


class Graphed:
    """The gradients of batches of one shape, computed by a CUDA graph.

    Raises RuntimeError if they cannot be recorded: they are too large for the memory, or an
    operation waits for the GPU.
    """

    def __init__(self, gradients: Gradients, batch: Batch, part: int, net: nn.Module) -> None:
        input, target = (side.clone() for side in batch)
        self._batch = input, target
        self._loss, self._replay = record(lambda: gradients(self._batch, part))
        self._gradients = [
            (weights, weights.grad) for weights in net.parameters() if weights.grad is not None
        ]

    def fits(self, batch: Batch) -> bool:
        return all(own.shape == given.shape for own, given in zip(self._batch, batch, strict=True))

    def __call__(self, batch: Batch) -> Tensor:
        """Compute the gradients of the network's weights; return the loss."""
        for own, given in zip(self._batch, batch, strict=True):
            own.copy_(given)
        self._replay()
        for weights, gradient in self._gradients:  # A step without the graph has others.
            weights.grad = gradient
        return self._loss.clone()


def record(compute: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Record a computation on the GPU: its result, and a function that computes this again.

    Recording computes nothing. The calls before it do, so that cuDNN can choose its kernels.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            compute()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()
    return result, graph.replay


@dataclass(frozen=True)
class Choice:
    """The fastest way to compute gradients; `text` has all that were measured, this one first."""

    graph: Graphed | None
    text: str


def fastest(gradients: Gradients, batch: Batch, net: nn.Module, parts: list[int]) -> Choice:
    """Measure the gradients kernel by kernel, in parts of `parts[0]` patches, and as graphs.

    Changes neither weights nor buffers nor random numbers. Measures nothing, and returns an empty
    text, if steps take long, or more memory than there is: the training itself then halves them.
    """
    graph: Graphed | None = None
    with unchanged(net, batch[0].device):
        try:
            best = seconds_of(lambda: gradients(batch, parts[0]))
        except torch.OutOfMemoryError:
            return Choice(None, "")
        if best > LONG:
            return Choice(None, "")
        measured = [f"in {1000 * best:.2g} ms kernel by kernel"]
        for number, part in enumerate(parts):
            try:
                recorded = Graphed(gradients, batch, part, net)
            except RuntimeError as error:
                print("A step could not be recorded as a CUDA graph:", error, file=sys.stderr)
                measured.append("not as a CUDA graph: worker.log has the error")
                break
            seconds = seconds_of(partial(recorded, batch))
            of = f" in parts of {part} patches" if number else ""
            text = f"in {1000 * seconds:.2g} ms as a CUDA graph{of}"
            if seconds < WORTHWHILE * best:
                graph, best = recorded, seconds
                measured.insert(0, text)
            else:
                measured.append(text)
            del recorded
        net.zero_grad(set_to_none=True)
    return Choice(graph, "Gradients " + ", ".join(measured))


@contextmanager
def unchanged(net: nn.Module, device: torch.device) -> Iterator[None]:
    """Put back the buffers of a network, and the random numbers, as they were before the block."""
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    for buffer, before in buffers:
        buffer.copy_(before)


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of a call on the GPU."""
    for _ in range(WARM_UPS):
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    if seconds > LONG:
        return seconds
    began, calls = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < MEASURED_SECONDS:
        for _ in range(CALLS):
            work()
        torch.cuda.synchronize()
        calls += CALLS
    return seconds / calls


def parts_to_try(net: nn.Module, patches: int, bytes_per_patch: float, cache: int) -> list[int]:
    """All patches at once, and as many as stay in a cache: each layer reads what one has written.

    Batch normalisation looks at all patches of a batch, which parts would change.
    """
    part = 2 ** (max(int(cache / bytes_per_patch), 1).bit_length() - 1)
    whole = any(isinstance(module, _BatchNorm) for module in net.modules())
    return [patches, part] if FEWEST_PATCHES <= part < patches and not whole else [patches]
