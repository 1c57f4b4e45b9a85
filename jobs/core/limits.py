"""How much one file may ask of a worker, as a few kilobytes can unpack to gigabytes; and a worker of the machine."""

import os
import resource
from pathlib import Path

MAX_IMAGE_MB = int(os.environ.get("CLEARFRAME_MAX_IMAGE_MB", "512"))
"""What one picture may take in memory, in MiB: the setting --max-image-mb of the server."""

MAX_IMAGE_BYTES = MAX_IMAGE_MB * 2**20


NVIDIA = Path("/dev/nvidiactl")
"""There where a GPU can be used."""


def max_worker_gb() -> float:
    """What a process of a job may take in memory, in GiB; 0 for all that there is: --max-worker-gb of the server."""
    return float(os.environ.get("CLEARFRAME_MAX_WORKER_GB", "0"))


def max_hours() -> float:
    """How long a job may take each time that it is started; 0 for as long as it takes: --max-hours of the server."""
    return float(os.environ.get("CLEARFRAME_MAX_HOURS", "0"))


def too_much() -> str:
    return (
        f"It needs more memory than the {max_worker_gb():g} GiB that a worker may take (--max-worker-gb). Use smaller batches, "
        "patches or images, or have the limit raised; then Resume: what was finished is kept."
    )


def too_long() -> str:
    return (
        f"It took longer than the {max_hours():g} hours that a job may take (--max-hours). What was finished is kept: Resume "
        "goes on from there, for as long again."
    )


def hold_memory(computes: bool) -> None:
    """Hold this process, and each that it starts, to the memory that it may take: what is beyond raises MemoryError. One that
    `computes` goes free where it could use a GPU: CUDA reserves far more than it takes."""
    most = int(max_worker_gb() * 2**30)
    if most and not (computes and NVIDIA.exists()):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def is_too_much(error: BaseException) -> bool:
    """Whether memory was missing; PyTorch says so in words alone."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def too_large(width: int, height: int) -> str:
    """Why an RGB picture of this size is refused; empty where it is not."""
    if width * height * 3 <= MAX_IMAGE_BYTES:
        return ""
    return f"it is {width}x{height}, more than the {MAX_IMAGE_MB} MiB that a picture may take (--max-image-mb)"
