"""The event log of a job: one JSON object a line, appended, never changed.

    {"seq": 7, "time": 1761000000.0, "type": "scalars", "step": 40, "epoch": 1.0, "scalars": {"train/l1": 0.02}}

`seq` counts from 1 without a gap. One process writes at a time: the worker while it lives, else the
server. A line that was cut short by a crash is no event: readers wait for its end, and the next
writer removes it. Types and their fields stand in docs/architecture.md.
"""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

Event = dict[str, Any]

FINAL_STATES = frozenset({"done", "error", "aborted"})

BLOCK = 64 * 1024
"""Bytes that are read at once where a log is searched."""


class EventLog:
    """Appends events to a log; `clock` gives the time in seconds since the epoch."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._one_at_a_time = clock, threading.Lock()
        self._file = path.open("ab", buffering=0)
        self._seq = _mend(path)

    def append(self, type: str, **fields: Any) -> Event:
        with self._one_at_a_time:
            event: Event = {"seq": self._seq + 1, "time": self._clock(), "type": type, **fields}
            self._write(json.dumps(event, allow_nan=False, separators=(",", ":")).encode() + b"\n")
            self._seq += 1
            if type in ("state", "snapshot"):
                os.fsync(self._file.fileno())
        return event

    def _write(self, line: bytes) -> None:
        """A line whole or not at all: on a disk that is full, part of it may find room."""
        end = os.fstat(self._file.fileno()).st_size
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError:
            os.ftruncate(self._file.fileno(), end)
            raise

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NoLog:
    """Takes events and keeps none: for processes that help another one, which writes the log."""

    def append(self, type: str, **fields: Any) -> Event:
        return {"type": type, **fields}


def _mend(path: Path) -> int:
    """Cut off an unfinished last line; return the last sequence number (0 in an empty log)."""
    last, end = _last_line(path)
    if end < path.stat().st_size:
        os.truncate(path, end)
    event = _parsed(last)
    if (
        last and event is None
    ):  # The last line that says its number counts, and this one is left as it is.
        return max((event["seq"] for event in read(path)), default=0)
    return int(event["seq"]) if event else 0


def _last_line(path: Path) -> tuple[bytes, int]:
    """The last whole line, and the offset behind it."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end > 0 and tail.count(b"\n") < 2:
            begin = max(end - BLOCK, 0)
            file.seek(begin)
            tail, end = file.read(end - begin) + tail, begin
    whole = tail[: tail.rfind(b"\n") + 1]
    return whole[whole.rfind(b"\n", 0, len(whole) - 1) + 1 :], end + len(whole)


def read_from(path: Path, offset: int, most: int = -1) -> tuple[list[Event], int]:
    """The whole events from a byte offset on, and the offset behind the last of them; of about `most` bytes at once."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(most)
            if most >= 0:
                data += file.readline()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return [event for line in whole.splitlines() if (event := _parsed(line))], offset + len(whole)


def _parsed(line: bytes) -> Event | None:
    """None for a line that is no event: a bad disk, or somebody's editor. What the others say is still true."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return (
        event
        if isinstance(event, dict) and isinstance(event.get("seq"), int) and "type" in event
        else None
    )


def read(path: Path, since: int = 0, types: frozenset[str] | None = None) -> Iterator[Event]:
    """Events with a sequence number above `since`, of the given types or of all."""
    # Most lines of a long log are not asked for: those are not parsed.
    marks = None if types is None else [f'"type":{json.dumps(type)}'.encode() for type in types]
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(_near(file, since))
        for line in file:
            if not line.endswith(b"\n"):
                return
            if marks is None or any(mark in line for mark in marks):
                event = _parsed(line)
                if event and event["seq"] > since and (types is None or event["type"] in types):
                    yield event


def _near(file: BinaryIO, since: int) -> int:
    """The offset of a line shortly before the first event above `since`, by halves: sequence numbers grow."""
    low, high = 0, file.seek(0, os.SEEK_END) if since > 0 else 0
    while high - low > BLOCK:
        file.seek((low + high) // 2)
        file.readline()
        begin, line = file.tell(), file.readline()
        event = _parsed(line) if line.endswith(b"\n") else None
        if begin < high and event and event["seq"] <= since:
            low = begin
        else:
            high = (low + high) // 2
    return low


def last_state(path: Path) -> Event | None:
    """The newest `state` event of a log."""
    return next(iter(deque(read(path, types=frozenset({"state"})), maxlen=1)), None)
