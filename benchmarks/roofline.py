"""The speed that a GPU's arithmetic and memory allow to SRCNN 9-1-5, both measured on the GPU.

Williams, Waterman, Patterson: Roofline: An Insightful Visual Performance Model, CACM 52(4), 2009.
"""

import time
from collections.abc import Callable

import torch

BYTES = 2
"""Of a value in bfloat16."""
REPEATS = 20


def operations_per_patch(side: int, channels: int, maps: tuple[int, int] = (64, 32)) -> float:
    """Floating-point operations of a training step: one forward pass, two backward passes.

    The first layer needs no gradient of its input.
    """
    first, second = maps
    first_layer = 81 * channels * first
    others = first * second + 25 * second * channels
    return 2 * (2 * first_layer + 3 * others) * side**2


def bytes_per_patch(side: int, channels: int, maps: tuple[int, int] = (64, 32)) -> float:
    """Memory traffic of a training step in which bias and ReLU are fused into the convolutions.

    Forward, a layer reads its input and writes its output. Backward, it reads the output's gradient
    twice, its input, and the ReLU's mask, and writes the input's gradient; the first layer needs
    no gradient of its input.
    """
    first, second = maps
    layers = ((channels, first), (first, second), (second, channels))
    forward = sum(input + output for input, output in layers)
    backward = sum(2 * output + 2 * input for input, output in layers) - channels - first
    return BYTES * (forward + backward + first + second) * side**2


def roofline(side: int, channels: int, device: torch.device) -> dict[str, float | str]:
    """Patches per second by arithmetic and by memory traffic; the lower of them is the limit."""
    arithmetic = operations_per_second(device) / operations_per_patch(side, channels)
    traffic = bytes_per_second(device) / bytes_per_patch(side, channels)
    return {
        "arithmetic": arithmetic,
        "traffic": traffic,
        "patches_per_second": min(arithmetic, traffic),
        "bound_by": "traffic" if traffic < arithmetic else "arithmetic",
    }


def operations_per_second(device: torch.device, side: int = 8192) -> float:
    a, b = (torch.rand(side, side, dtype=torch.bfloat16, device=device) for _ in range(2))
    return 2 * side**3 / _seconds(lambda: a @ b)


def bytes_per_second(device: torch.device, size: int = 2**30) -> float:
    """Bytes read and written by copies that exceed all caches."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / _seconds(lambda: target.copy_(source))


def _seconds(work: Callable[[], object]) -> float:
    """Seconds of a call on the GPU, after some calls to warm up."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    began = time.monotonic()
    for _ in range(REPEATS):
        work()
    torch.cuda.synchronize()
    return (time.monotonic() - began) / REPEATS
