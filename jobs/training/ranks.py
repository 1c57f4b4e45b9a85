"""Several processes that train one network together, one a GPU: what each does alone, and where they agree.

Under torchrun they find each other by its environment. Where a spec names several GPUs, the job's process is the
first rank and starts the others itself, in its own process group. Only rank 0 writes: log, snapshots, pictures.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # It is public, but not in __all__.
from torch.nn.parallel import DistributedDataParallel

from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.networks.device import check_gpu, gpus
from jobs.training.patches import Cuts

FIRST = "CLEARFRAME_FIRST_RANK"
"""Names the process that started this one as another rank."""


@dataclass(frozen=True)
class Ranks:
    """`local`: which of those on this machine it is, of which each has a GPU of its own."""

    rank: int = 0
    size: int = 1
    local: int = 0

    def share(self, cuts: Cuts) -> Cuts:
        """This rank's part of a step's patches; where there are fewer patches than ranks, some have one twice."""
        mine = cuts[slice(self.rank, None, self.size)]
        return mine if len(mine) else cuts[slice(0, 1)]

    def weight(self, step_patches: int) -> float:
        """By what this rank's mean loss is multiplied, so that the mean of all ranks is that over all patches."""
        whole = len(range(self.rank, step_patches, self.size))
        return whole * self.size / step_patches if self.size > 1 else 1.0

    def together(self, net: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the ranks."""
        if self.size == 1:
            return net
        on_gpu = next(net.parameters()).is_cuda
        if on_gpu:  # Else batch normalisation would see this rank's part of a batch alone. There is none of it for CPUs.
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return DistributedDataParallel(
            net, device_ids=[torch.cuda.current_device()] if on_gpu else None
        )

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def align(self, net: nn.Module) -> None:
        """Give all ranks what the network of rank 0 has counted on the way: its buffers."""
        if self.size > 1:
            for buffer in net.buffers():
                dist.broadcast(buffer, 0)

    def any(self, flag: bool, device: torch.device) -> bool:
        return (
            bool(self.sum(torch.tensor(float(flag), device=device)) > 0) if self.size > 1 else flag
        )

    def of_first(self, value: float, device: torch.device) -> float:
        """The value that rank 0 has."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(told, 0)
        return float(told)

    def same(self, value: Any) -> Any:
        """What rank 0 has, in all of them."""
        if self.size == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, 0)
        return told[0]

    def lost(self) -> str:
        """After an error: what is to be said of a rank that was lost, "" where none was."""
        if self.size == 1:
            return ""
        try:
            return _lost.get(timeout=SECONDS_TO_FAIL_ALIKE / 5)
        except queue.Empty:
            return ""

    def leave(self) -> None:
        if self.size > 1:
            _leaving.set()
            dist.destroy_process_group()


def join(folder: JobFolder, device: str, report: Report) -> Ranks:
    """Become one of several ranks, or stay alone: as many as a spec names GPUs. Raises JobError for one that is not there."""
    wanted = gpus(device)
    if "RANK" not in os.environ and len(wanted) > 1:
        for index in wanted:
            check_gpu(index)
        _start_others(folder, len(wanted), report)
    if "RANK" not in os.environ:
        return Ranks()
    dist.init_process_group("nccl" if torch.cuda.is_available() and device != "cpu" else "gloo")
    return Ranks(
        dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", dist.get_rank()))
    )


_meeting: list[TCPStore] = []
"""Where the ranks meet: rank 0 keeps it open while it lives."""


SECONDS_TO_FAIL_ALIKE = 10.0

_lost: queue.SimpleQueue[str] = queue.SimpleQueue()
"""What is to be said of ranks that were lost."""

_leaving = threading.Event()
"""Set when the work is over: from then on ranks may end."""


def _start_others(folder: JobFolder, size: int, report: Report) -> None:
    """As torchrun does: the meeting place is open, at a free port, before anybody looks for it."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    _meeting.append(store)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(size),
        "RANK": "0",
    }
    command = [sys.executable, "-m", "jobs.run", str(folder.path)]
    for rank in range(1, size):
        other = subprocess.Popen(
            command, env={**os.environ, "RANK": str(rank), FIRST: str(os.getpid())}
        )
        threading.Thread(target=_watch, args=(other, rank, report), daemon=True).start()


def _watch(other: "subprocess.Popen[bytes]", rank: int, report: Report) -> None:
    """A rank that is lost may leave the rest waiting for it without end: the job ends instead."""
    code = other.wait()
    if code:
        _lost.put(
            f"Process {rank + 1} of the job, one of several, ended with status {code}: see worker.log. "
            "Resume goes on from the last snapshot."
        )
    # Where all fail alike, the first has its own words for it.
    if code and not _leaving.wait(SECONDS_TO_FAIL_ALIKE):
        report.log.append("state", state="error", reason=_lost.get())
        os._exit(1)


def follow_first() -> None:
    """In any other rank: end with the first, which may have been killed."""
    first = int(os.environ.get(FIRST, "0"))

    def watch() -> None:
        while os.getppid() == first:
            time.sleep(1)
        os._exit(1)

    if first:
        threading.Thread(target=watch, daemon=True).start()
