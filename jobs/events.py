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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

Event = dict[str, Any]

FINAL_STATES = frozenset({"done", "error", "aborted"})


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
    events, end = read_from(path, 0)
    if end < path.stat().st_size:
        os.truncate(path, end)
    return int(events[-1]["seq"]) if events else 0


def read_from(path: Path, offset: int) -> tuple[list[Event], int]:
    """The whole events from a byte offset on, and the offset behind the last of them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line], offset + len(whole)


def read(path: Path, since: int = 0, types: frozenset[str] | None = None) -> Iterator[Event]:
    """Events with a sequence number above `since`, of the given types or of all."""
    for event in read_from(path, 0)[0]:
        if event["seq"] > since and (types is None or event["type"] in types):
            yield event


def last_state(path: Path) -> Event | None:
    """The newest `state` event of a log."""
    return next(reversed(list(read(path, types=frozenset({"state"})))), None)
