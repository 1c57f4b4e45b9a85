"""Pairs made by several processes, in order. Pictures and values go to and fro in shared memory.

With threads two cores make half as many raw pairs: numpy and Pillow hold the interpreter for too much of the time.

    job ── Item, where its pictures are ──> process    (a socket; pictures that the job decoded lie in memory)
        <── Made, where its values are ───             (values lie in memory, over the pictures they were made of)

A process ends with the job, however that ends: its socket closes. It is started as
`python -m jobs.datasets.workers SOCKET MEMORY`.
"""

import mmap
import os
import signal
import subprocess
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

from jobs.core.errors import JobError
from jobs.core.limits import MAX_IMAGE_BYTES
from jobs.core.paths import ROOT
from jobs.core.report import Report
from jobs.datasets.pairing import Item, Made, Making, Record, Side, Value, make
from jobs.media.images import ImageFile

PROCESSES = min(os.cpu_count() or 1, 16)
"""More than that could not be fed by one that decodes and writes."""

SLOTS = 8
"""Items that a process has at a time: it goes on while the job decodes, or waits for the disk."""

BYTES_AT_WORK = 512 * 2**20
"""Of all items together: of large pictures fewer are at work. One always is."""

SLOT = 2 * MAX_IMAGE_BYTES
"""Room for the largest input and target that are allowed. It is address space: memory is taken where something is put."""

Place = tuple[int, tuple[int, ...]]
"""A picture in memory: its offset and shape."""

Sent = ImageFile | Place
Placed = Value | tuple[int, int]
"""A value, or its offset and length in memory."""

Shipped = tuple[Placed, Placed, dict[str, Any]]
"""A Record on its way."""


class Member:
    """The job's side of one process."""

    def __init__(self) -> None:
        memory = _memory()
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", "jobs.datasets.workers", str(theirs.fileno()), str(memory)]
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), memory), stdin=subprocess.DEVNULL, cwd=ROOT
        )
        theirs.close()
        self._memory = mmap.mmap(memory, SLOTS * SLOT)
        os.close(memory)
        self._waiting: deque[tuple[Item, int]] = deque()
        self._free = list(range(SLOTS))
        self._read: int | None = None
        """The slot whose values the job may still be reading."""

    def give(self, item: Item, input: Side, target: Side, how: Making) -> None:
        """Hand over an item; at most SLOTS of them may be at work."""
        self._release()
        slot = heappop(self._free)  # The lowest: memory that was touched once is touched again.
        offset = slot * SLOT
        sent = [
            self._sent(side, place)
            for side, place in ((input, offset), (target, offset + SLOT // 2))
        ]
        self._waiting.append((item, slot))
        with suppress(BrokenPipeError, ConnectionResetError):  # `take` says why it has ended.
            self._connection.send((item, how, offset, *sent))

    def _release(self) -> None:
        if self._read is not None:
            heappush(self._free, self._read)
            self._read = None

    def _sent(self, side: Side, offset: int) -> Sent:
        if isinstance(side, ImageFile):
            return side
        np.copyto(np.ndarray(side.shape, np.uint8, self._memory, offset), side)
        return offset, side.shape

    def take(self, report: Report) -> Made:
        """What came of the oldest item. Its values lie in memory until the next call. Raises what was raised there."""
        self._release()
        item, self._read = self._waiting.popleft()
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._say_why_it_ended(item, report)
        if isinstance(answer, Exception):
            raise answer
        made, shipped = cast(tuple[Made, list[Shipped]], answer)
        return replace(made, records=[self._found(one) for one in shipped])

    def _found(self, shipped: Shipped) -> Record:
        input, target = (
            memoryview(self._memory)[value[0] : value[0] + value[1]]
            if isinstance(value, tuple)
            else value
            for value in shipped[:2]
        )
        return Record(input, target, shipped[2])

    def _say_why_it_ended(self, item: Item, report: Report) -> NoReturn:
        report.check()  # Who stops the job stops its processes.
        status = self._process.wait()
        if status < 0:
            raise JobError(
                f"The process that made the pair of {item.name} was killed ({signal.Signals(-status).name}); often that means "
                "that memory ran out. Resume goes on from there."
            )
        raise RuntimeError(f"the process that made the pair of {item.name} ended with {status}")

    def close(self) -> None:
        self._connection.close()
        self._process.wait()


def _memory() -> int:
    """A descriptor of memory that has no name, so that nothing of it outlives the processes that hold it."""
    if sys.platform == "linux":
        memory = os.memfd_create("pairs")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, SLOTS * SLOT)
    return memory


def by_processes(
    items: Iterable[tuple[Item, Side, Side]], how: Making, report: Report
) -> Iterator[Made]:
    """What comes of the items, in their order; few are held at a time, however many there are."""
    with ExitStack() as stack:
        crew = [Member() for _ in range(PROCESSES)]
        for member in crew:
            stack.callback(member.close)
        given = taken = last = 0
        sizes: deque[int] = deque()
        for item, input, target in items:
            # What a file holds is known when it has been read: the next one is taken to be like the last.
            size = max(
                last,
                sum(side.nbytes for side in (input, target) if not isinstance(side, ImageFile)),
            )
            while sizes and (len(sizes) == SLOTS * len(crew) or sum(sizes) + size > BYTES_AT_WORK):
                made = crew[taken % len(crew)].take(report)
                last = sum(record.size for record in made.records)
                yield made
                sizes.popleft()
                taken += 1
            crew[given % len(crew)].give(item, input, target, how)
            sizes.append(size)
            given += 1
        for number in range(taken, given):
            yield crew[number % len(crew)].take(report)


def work(connection: Connection, memory: mmap.mmap) -> None:
    """The other side: make what is sent until nobody sends any more."""
    while True:
        try:
            item, how, offset, *sent = connection.recv()
        except EOFError:
            return
        try:
            input, target = (
                side
                if isinstance(side, ImageFile)
                else np.ndarray(side[1], np.uint8, memory, side[0])
                for side in sent
            )
            made = make(item, input, target, how)
            connection.send((replace(made, records=[]), _shipped(made.records, memory, offset)))
        except (JobError, OSError) as error:
            connection.send(error)


def _shipped(records: list[Record], memory: mmap.mmap, offset: int) -> list[Shipped]:
    """Records whose values were put into memory, as far as there is room in the slot."""
    end = offset + SLOT

    def place(value: Value) -> Placed:
        nonlocal offset
        start, offset = offset, offset + len(value)
        if offset > end:
            return value
        memory[start:offset] = value
        return start, len(value)

    return [(place(record.input), place(record.target), record.meta) for record in records]


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # Meant for the job, which ends this process when it has stored its pairs.
    with suppress(
        BrokenPipeError, ConnectionResetError
    ):  # The job has ended, and nobody wants the answer.
        work(Connection(int(sys.argv[1])), mmap.mmap(int(sys.argv[2]), SLOTS * SLOT))
