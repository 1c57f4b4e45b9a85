"""The GPUs of the machine, and whether somebody else uses them: by NVIDIA's library NVML, as the server has no torch to ask."""

import os
from contextlib import suppress
from functools import cache

import pynvml

IDLE_BYTES = 600 * 2**20
"""What a GPU that nobody uses may hold: the driver's own, and a desktop's."""


@cache
def names() -> tuple[str, ...]:
    """The GPUs that trainings may use, as CUDA_VISIBLE_DEVICES names them: those the server was started with, or all."""
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return ()
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return tuple(
            name for name in os.environ["CUDA_VISIBLE_DEVICES"].replace(" ", "").split(",") if name
        )
    return tuple(map(str, range(count)))


def bytes_used(name: str) -> int:
    """Bytes of a GPU's memory that are in use, by whomever; 0 where that cannot be told."""
    with suppress(pynvml.NVMLError):
        handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(name))
            if name.isdigit()
            else pynvml.nvmlDeviceGetHandleByUUID(name)
        )
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    return 0


def is_used(name: str) -> bool:
    """Whether a GPU on which no job of ours is at work is used all the same."""
    return bytes_used(name) > IDLE_BYTES
