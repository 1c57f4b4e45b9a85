"""The GPUs of the machine and their memory in use.

Uses NVIDIA's library NVML, because the server does not load torch.
"""

import os
from contextlib import suppress
from functools import cache

import pynvml

IDLE_BYTES = 600 * 2**20
"""Memory in use on an idle GPU, by the driver and a desktop, is at most this."""


@cache
def names() -> tuple[str, ...]:
    """The names, as in CUDA_VISIBLE_DEVICES, of the GPUs that trainings may use.

    They are those in the server's CUDA_VISIBLE_DEVICES, or all GPUs without that variable.
    """
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
    """Bytes of a GPU's memory in use by all programs together; 0 if NVML cannot read them."""
    with suppress(pynvml.NVMLError):
        handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(name))
            if name.isdigit()
            else pynvml.nvmlDeviceGetHandleByUUID(name)
        )
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    return 0


def is_used(name: str) -> bool:
    """Whether other programs use a GPU on which no job of this server runs."""
    return bytes_used(name) > IDLE_BYTES
