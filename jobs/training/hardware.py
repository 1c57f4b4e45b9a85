"""Monitoring of the hardware during a job: GPUs by NVML, the CPU and this process by psutil."""

import threading
from contextlib import suppress
from typing import Any

import psutil
import pynvml
import torch

from jobs.core.report import Report
from jobs.core.types.load import Gpu, Hardware

INTERVAL = 2.0
"""Seconds between two events."""


class Watch:
    """Logs a `hardware` event every INTERVAL seconds from a thread, until the block ends."""

    def __init__(self, report: Report, device: torch.device) -> None:
        self._report, self._gpus = report, _handles(device)
        self._over = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._process.cpu_percent()  # The first reading is always 0: it starts the count.
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            self._report.log.append("hardware", **self._read())

    def _read(self) -> Hardware:
        """The fields of a `hardware` event.

        Shares are in percent, memory in bytes, temperatures in degrees Celsius. `cpu` is 100 for
        each fully used core.
        """
        return {
            "cpu": self._process.cpu_percent(),
            "cores": psutil.cpu_count(),
            "rss": self._process.memory_info().rss,
            "memory_total": psutil.virtual_memory().total,
            "gpus": [_gpu(handle) for handle in self._gpus],
        }


def _handles(device: torch.device) -> list[Any]:
    """NVML's handle of the GPU in use; empty without a GPU or without NVML."""
    if device.type != "cuda":
        return []
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        for kind in ("GPU", "MIG"):
            with suppress(pynvml.NVMLError_NotFound):
                return [pynvml.nvmlDeviceGetHandleByUUID(f"{kind}-{uuid}")]
    return []


def _gpu(handle: Any) -> Gpu:
    readings: Gpu = {}
    with suppress(pynvml.NVMLError):  # Some GPUs do not support all readings.
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
        readings["memory_used"] = int(memory.used)
        readings["memory_total"] = int(memory.total)
        readings["name"] = str(pynvml.nvmlDeviceGetName(handle))
        readings["temperature"] = pynvml.nvmlDeviceGetTemperature(
            handle, pynvml.NVML_TEMPERATURE_GPU
        )
        readings["utilisation"] = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
    return readings
