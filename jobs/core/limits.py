"""Limits on the memory of one picture (a few kilobytes can unpack to gigabytes) and of workers."""

import os
import resource
from pathlib import Path

NVIDIA = Path("/dev/nvidiactl")
"""Exists if a GPU can be used."""


def max_image_mb() -> int:
    """The most memory that one picture may use, in MiB: the server's option --max-image-mb."""
    return int(os.environ.get("CLEARFRAME_MAX_IMAGE_MB", "512"))


def max_image_bytes() -> int:
    return max_image_mb() * 2**20


def max_worker_gb() -> float:
    """Memory limit of each process of a job in GiB, 0 for none: the option --max-worker-gb."""
    return float(os.environ.get("CLEARFRAME_MAX_WORKER_GB", "0"))


def max_hours() -> float:
    """Time limit of a job in hours per start, 0 for none: the option --max-hours."""
    return float(os.environ.get("CLEARFRAME_MAX_HOURS", "0"))


def out_of_memory_reason(error: BaseException) -> str:
    """Why a job ended whose allocation failed, on a GPU, by --max-worker-gb or on the machine."""
    if _is_of_gpu(error):
        return (
            "The GPU's memory is too small for this job, or other programs use it. "
            "Use smaller batches, patches or images, or wait until the GPU is free. "
            "Then resume the job: finished work is kept."
        )
    if not max_worker_gb():
        return (
            "The machine has too little memory for this job. "
            "Use smaller batches, patches or images, or end other programs. "
            "Then resume the job: finished work is kept."
        )
    return (
        f"The job needs more memory than the {max_worker_gb():g} GiB that a worker may use "
        "(--max-worker-gb). Use smaller batches, patches or images, or raise the limit. "
        "Then resume the job: finished work is kept."
    )


def memory_limit() -> str:
    """Why a process without a job failed."""
    return (
        f"more memory is needed than the {max_worker_gb():g} GiB that a process may use "
        "(--max-worker-gb). Use smaller images or a smaller network, or raise the limit."
    )


def out_of_time_reason() -> str:
    return (
        f"The job ran longer than the {max_hours():g} hours that a job may take (--max-hours). "
        "Finished work is kept: Resume continues from there, with the same time limit."
    )


def limit_memory(computes: bool) -> None:
    """Apply the memory limit to this process and to its children: beyond it, they get MemoryError.

    Memory that the process has already is not counted: a fork server's modules are shared. A
    process that `computes` is not limited if a GPU can be used: CUDA reserves much more address
    space than the memory that it uses.
    """
    limit = int(max_worker_gb() * 2**30)
    if limit and not (computes and NVIDIA.exists()):
        limit += _data_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _data_bytes() -> int:
    """What counts for RLIMIT_DATA in this process; 0 where the system has no /proc."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[5]) if statm.exists() else 0
    return pages * resource.getpagesize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed. PyTorch's RuntimeError can only be identified by its text."""
    return isinstance(error, MemoryError) or _is_of_gpu(error) or _tells_of_memory(str(error))


def _is_of_gpu(error: BaseException) -> bool:
    """Whether a GPU's memory is full. Libraries of CUDA say so in their own words."""
    return type(error).__name__ == "OutOfMemoryError" or any(
        sign in str(error)
        for sign in ("CUDA out of memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")
    )


def is_over_memory_limit(last_line: str) -> bool:
    """Whether a process that printed this line last ended because of the memory limit.

    Without a limit, the machine's memory was full.
    """
    return max_worker_gb() > 0 and _tells_of_memory(last_line)


def _tells_of_memory(text: str) -> bool:
    return any(
        sign in text for sign in ("MemoryError", "Cannot allocate memory", "can't allocate memory")
    )


def too_large(width: int, height: int) -> str:
    """The reason to refuse an RGB picture of this size; empty if it is within the limit."""
    if width * height * 3 <= max_image_bytes():
        return ""
    return (
        f"it is {width}×{height}, more than the {max_image_mb()} MiB that a picture may use "
        "(--max-image-mb)"
    )
