"""Worker processes that make pairs. Results come in order; pictures and values use shared memory.

With threads, two cores make half as many raw pairs: numpy and Pillow hold the interpreter lock for
too much of the time.

    job ── Item, location of its pictures ──────> worker process
        <── ItemResult, location of its values ──

Both messages use a socket. Pictures that the job decoded are in shared memory. The encoded values
overwrite the pictures that they were made from.

A worker process exits when its socket closes, so it never outlives the job.
"""

import mmap
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from heapq import heappop, heappush
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn, cast

import numpy as np

from jobs.core import processes
from jobs.core.errors import JobError
from jobs.core.limits import max_image_bytes
from jobs.core.report import Report
from jobs.datasets.pairing import Item, ItemResult, PairSettings, Record, Side, Value, make_pairs
from jobs.media.images import ImageFile

PROCESSES = min(os.cpu_count() or 1, 16)
"""At most 16: the job, which decodes and writes, cannot keep more worker processes busy."""

SLOTS = 8
"""Items queued per worker process. It keeps working while the job decodes or waits for the disk."""

BYTES_AT_WORK = 512 * 2**20
"""Limit in bytes for all queued items together. At least one item is always queued."""


PictureLocation = tuple[int, tuple[int, ...]]
"""A picture in shared memory: its offset and shape."""

SideMessage = ImageFile | PictureLocation
ValueMessage = Value | tuple[int, int]
"""A value, or its offset and length in shared memory."""

RecordMessage = tuple[ValueMessage, ValueMessage, dict[str, Any], bytes]
"""A Record as sent over the socket: input, target, meta and qp."""


def slot_bytes() -> int:
    """Bytes for the largest allowed input and target.

    This reserves address space only: the kernel allocates pages when they are written.
    """
    return 2 * max_image_bytes()


class WorkerProcess:
    """The job's handle for one worker process."""

    def __init__(self) -> None:
        memory = _memory()
        self._connection, theirs = Pipe()
        descriptors = theirs.fileno(), memory
        self._process = processes.start(
            "jobs.datasets.pair_processes",
            [str(number) for number in descriptors],
            pass_fds=descriptors,
        )
        theirs.close()
        self._slot = slot_bytes()
        self._memory = mmap.mmap(memory, SLOTS * self._slot)
        os.close(memory)
        self._waiting: deque[tuple[Item, int]] = deque()
        self._free = list(range(SLOTS))
        self._read: int | None = None
        """The slot whose values the job may still read."""

    def submit(self, item: Item, input: Side, target: Side, settings: PairSettings) -> None:
        """Send an item to the process. At most SLOTS items may be queued."""
        self._release()
        slot = heappop(self._free)  # The lowest slot reuses pages that are already allocated.
        offset = slot * self._slot
        sides = [
            self._side_message(side, start)
            for side, start in ((input, offset), (target, offset + self._slot // 2))
        ]
        self._waiting.append((item, slot))
        with suppress(BrokenPipeError, ConnectionResetError):  # `receive` raises the reason.
            self._connection.send((item, settings, offset, *sides))

    def _release(self) -> None:
        if self._read is not None:
            heappush(self._free, self._read)
            self._read = None

    def _side_message(self, side: Side, offset: int) -> SideMessage:
        if isinstance(side, ImageFile):
            return side
        np.copyto(np.ndarray(side.shape, np.uint8, self._memory, offset), side)
        return offset, side.shape

    def receive(self, report: Report) -> ItemResult:
        """Return the result of the oldest item. Raises the exception that the process raised.

        The values of the result are valid until the next call.
        """
        self._release()
        item, self._read = self._waiting.popleft()
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._raise_exit_reason(item, report)
        if isinstance(answer, Exception):
            raise answer
        result, messages = cast(tuple[ItemResult, list[RecordMessage]], answer)
        return replace(result, records=[self._record(message) for message in messages])

    def _record(self, message: RecordMessage) -> Record:
        input, target = (
            memoryview(self._memory)[value[0] : value[0] + value[1]]
            if isinstance(value, tuple)
            else value
            for value in message[:2]
        )
        return Record(input, target, *message[2:])

    def _raise_exit_reason(self, item: Item, report: Report) -> NoReturn:
        report.check()  # Aborting the job also stops its worker processes.
        status = self._process.wait()
        if status < 0:
            raise JobError(
                f"The process that made the pair of {item.name} was killed "
                f"({signal.Signals(-status).name}), often because memory ran out. "
                "Free some memory, then resume the job: finished pairs are kept."
            )
        raise RuntimeError(
            f"the process that made the pair of {item.name} exited with status {status}"
        )

    def close(self) -> None:
        self._connection.close()
        self._process.wait()


def _memory() -> int:
    """Return a descriptor of anonymous memory, which the kernel frees with its last process."""
    if sys.platform == "linux":
        memory = os.memfd_create("pairs")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, SLOTS * slot_bytes())
    return memory


def make_in_processes(
    items: Iterable[tuple[Item, Side, Side]], settings: PairSettings, report: Report
) -> Iterator[ItemResult]:
    """Yield the results of the items in order. Only a bounded number of items is queued."""
    with ExitStack() as stack:
        processes = [WorkerProcess() for _ in range(PROCESSES)]
        for process in processes:
            stack.callback(process.close)
        submitted = received = last = 0
        sizes: deque[int] = deque()
        for item, input, target in items:
            # The size of a file's picture is unknown until it is read: assume the last size.
            size = max(
                last,
                sum(side.nbytes for side in (input, target) if not isinstance(side, ImageFile)),
            )
            while sizes and (
                len(sizes) == SLOTS * len(processes) or sum(sizes) + size > BYTES_AT_WORK
            ):
                result = processes[received % len(processes)].receive(report)
                last = sum(record.size for record in result.records)
                yield result
                sizes.popleft()
                received += 1
            processes[submitted % len(processes)].submit(item, input, target, settings)
            sizes.append(size)
            submitted += 1
        for number in range(received, submitted):
            yield processes[number % len(processes)].receive(report)


def serve(connection: Connection, memory: mmap.mmap) -> None:
    """Make the pairs of each received item until the connection closes."""
    while True:
        try:
            item, settings, offset, *sides = connection.recv()
        except EOFError:
            return
        try:
            input, target = (
                side
                if isinstance(side, ImageFile)
                else np.ndarray(side[1], np.uint8, memory, side[0])
                for side in sides
            )
            result = make_pairs(item, input, target, settings)
            connection.send((replace(result, records=[]), _packed(result.records, memory, offset)))
        except (JobError, OSError) as error:
            connection.send(error)


def _packed(records: list[Record], memory: mmap.mmap, offset: int) -> list[RecordMessage]:
    """Write the values of the records to shared memory.

    Values that do not fit into the slot stay in the messages.
    """
    end = offset + len(memory) // SLOTS

    def put(value: Value) -> ValueMessage:
        nonlocal offset
        start, offset = offset, offset + len(value)
        if offset > end:
            return value
        memory[start:offset] = value
        return start, len(value)

    return [(put(record.input), put(record.target), record.meta, record.qp) for record in records]


def main(socket: str, memory: str) -> None:
    # SIGTERM is for the job, which stores the finished pairs and then closes this process.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(BrokenPipeError, ConnectionResetError):  # The job has ended.
        serve(Connection(int(socket)), mmap.mmap(int(memory), 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
