"""Ranks: several processes that train one network together, one per GPU.

Under torchrun, the ranks find each other by its environment variables. Otherwise, if a spec names
several GPUs, the job's process is rank 0 and starts the others, which end when it ends. Only rank 0
writes the log, snapshots and pictures.
"""

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # Missing in __all__.
from torch.nn.parallel import DistributedDataParallel

from jobs.core import processes
from jobs.core.folder import JobFolder
from jobs.core.processes import Process
from jobs.core.report import Report
from jobs.networks.device import check_gpu, gpus
from jobs.training.patches import Cuts

FIRST = "CLEARFRAME_FIRST_RANK"
"""Environment variable with an open descriptor: the end of a pipe whose other end is rank 0's."""

Exchange = Callable[[Tensor, list[int], list[int]], Tensor]
"""Sends rows to the ranks and returns those that they send: rows, numbers to each, from each."""


@dataclass(frozen=True)
class Ranks:
    """The rank of this process.

    `local` counts the ranks of this machine, of which there are `on_this_machine`. Each of them has
    its own GPU.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    on_this_machine: int = 1

    def share(self, cuts: Cuts) -> Cuts:
        """This rank's part of a step's patches."""
        return cuts[self.part(len(cuts), self.rank)]

    def part(self, step_patches: int, rank: int) -> slice:
        """The part of a step's patches that a rank gets.

        If a step has fewer patches than ranks, several ranks get the first patch.
        """
        return slice(rank, None, self.size) if rank < step_patches else slice(0, 1)

    def weight(self, step_patches: int) -> float:
        """The factor of this rank's mean loss.

        With it, the mean over the ranks equals the mean over all patches.
        """
        own_patches = len(range(self.rank, step_patches, self.size))
        return own_patches * self.size / step_patches if self.size > 1 else 1.0

    def wrap(self, net: nn.Module) -> nn.Module:
        """Wrap the network so that its gradients are averaged over the ranks."""
        if self.size == 1:
            return net
        on_gpu = next(net.parameters()).is_cuda
        if on_gpu:
            # Batch normalisation then sees the batches of all ranks. It does not exist for CPUs.
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return DistributedDataParallel(
            net, device_ids=[torch.cuda.current_device()] if on_gpu else None
        )

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def broadcast_buffers(self, net: nn.Module) -> None:
        """Copy the buffers of rank 0's network to all ranks."""
        if self.size > 1:
            for buffer in net.buffers():
                dist.broadcast(buffer, 0)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any rank."""
        return (
            bool(self.sum(torch.tensor(float(flag), device=device)) > 0) if self.size > 1 else flag
        )

    def broadcast_number(self, value: float, device: torch.device) -> float:
        """Return rank 0's value in all ranks."""
        if self.size == 1:
            return value
        number = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(number, 0)
        return float(number)

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's object in all ranks."""
        if self.size == 1:
            return value
        objects = [value]
        dist.broadcast_object_list(objects, 0)
        return objects[0]

    def exchange(self) -> Exchange:
        """Connect the ranks for exchanges of rows in main memory. All ranks call it together.

        It has connections of its own: a thread uses it while the steps average their gradients.
        """
        group = None
        if self.size > 1:
            group = cast(dist.ProcessGroup, dist.new_group(backend="gloo"))

        def exchanged(rows: Tensor, to: list[int], of: list[int]) -> Tensor:
            received = rows.new_empty(sum(of), *rows.shape[1:])
            dist.all_to_all_single(received, rows, of, to, group=group)
            return received

        return exchanged

    def lost_reason(self) -> str:
        """After an error: the reason if a rank was lost, else an empty string."""
        if self.size == 1:
            return ""
        try:
            return _lost_reasons.get(timeout=SECONDS_TO_FAIL / 5)
        except queue.Empty:
            return ""

    def finish(self) -> None:
        """After the last exchange between ranks: from now on, a rank that ends is not lost."""
        _leaving.set()

    def leave(self) -> None:
        if self.size > 1:
            self.finish()
            dist.destroy_process_group()


def join(folder: JobFolder, device: str, report: Report) -> Ranks:
    """Join the ranks of the job: one for each GPU that the spec names, or those of torchrun.

    Raises JobError for a GPU that does not exist.
    """
    indices = gpus(device)
    if "RANK" not in os.environ and len(indices) > 1:
        for index in indices:
            check_gpu(index)
        _start_others(folder, len(indices), report)
    if "RANK" not in os.environ:
        return Ranks()
    dist.init_process_group("nccl" if torch.cuda.is_available() and device != "cpu" else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    return Ranks(
        rank,
        size,
        int(os.environ.get("LOCAL_RANK", rank)),
        int(os.environ.get("LOCAL_WORLD_SIZE", size)),
    )


_rendezvous: list[TCPStore] = []
"""The store by which the ranks find each other. Rank 0 keeps it open until it ends."""

SECONDS_TO_FAIL = 10.0
"""If a rank fails, the others may fail by the same error within this time."""

_lost_reasons: queue.SimpleQueue[str] = queue.SimpleQueue()

_leaving = threading.Event()
"""Set when the work is over: from then on, a rank that ends is not lost."""


def _start_others(folder: JobFolder, size: int, report: Report) -> None:
    """Start the other ranks with the environment that torchrun gives them.

    The store listens on a free port before the first rank connects.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    _rendezvous.append(store)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(size),
        "RANK": "0",
    }
    theirs, _ = os.pipe()  # This end stays open until this process ends.
    for rank in range(1, size):
        other = processes.start(
            "jobs.run",
            [str(folder.path)],
            {"RANK": str(rank), FIRST: str(theirs)},
            pass_fds=[theirs],
        )
        threading.Thread(target=_watch, args=(other, rank, report), daemon=True).start()
    os.close(theirs)


def _watch(other: Process, rank: int, report: Report) -> None:
    """End the job if a rank is lost: the others could wait for it forever."""
    code = other.wait()
    if code:
        _lost_reasons.put(
            f"Process {rank + 1} of the job ended with status {code}. worker.log has its error. "
            "Resume continues from the last snapshot."
        )
    # If all ranks fail by the same error, rank 0 reports it.
    if code and not _leaving.wait(SECONDS_TO_FAIL):
        report.log.append("state", state="error", reason=_lost_reasons.get())
        os._exit(1)


def exit_with_first_rank() -> None:
    """In a rank that rank 0 started: exit when rank 0 ends, even if it is killed."""

    def watch(pipe: int) -> None:
        os.read(pipe, 1)  # Nobody writes: it returns when the other end is closed.
        os._exit(1)

    if FIRST in os.environ:
        pipe = int(os.environ[FIRST])
        threading.Thread(target=watch, args=(pipe,), daemon=True).start()
