"""The event log of a job: one JSON object per line, append-only.

    {"seq": 7, "time": 1761000000.0, "type": "scalars", "step": 40, "epoch": 1.0,
     "scalars": {"train/l1": 0.02}}

(shown here on two lines). `seq` counts from 1 without gaps. One process writes at a time: the
worker while it runs, otherwise the server. A crash may cut the last line short. Readers ignore
such a line until it is complete, and the next writer removes it. types/events.py has the types of
events and their fields. report.py emits them, view.py folds them into what pages show.
"""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import (
    Any,
    BinaryIO,
    Literal,
    Self,
    TypeVar,
    Unpack,
    cast,
    get_args,
    get_type_hints,
    overload,
)

from jobs.core.types.events import (
    FactsFields,
    JobEvent,
    Logged,
    LogMessageFields,
    RemovedFields,
    ResultsFields,
    ResumedFields,
    ScalarsFields,
    SnapshotFields,
    StateEvent,
    StateFields,
    WeightsFields,
)
from jobs.core.types.layers import ShownLayer
from jobs.core.types.load import Hardware, Progress
from jobs.core.types.samples import DatasetSample, ImageSample, Skipped, ValidationSample

AnyEvent = TypeVar("AnyEvent", bound=Logged)

FINAL_STATES = frozenset({"done", "error", "aborted"})

BLOCK = 64 * 1024
"""Bytes per read in a search through a log."""


class Log:
    """Where a job's events go. Each type of event takes the fields of its class."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[JobEvent], object]] = []
        """Called with each event that was appended, in the thread that appended it."""

    @overload
    def append(self, type: Literal["state"], **fields: Unpack[StateFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["progress"], **fields: Unpack[Progress]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["scalars"], **fields: Unpack[ScalarsFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["facts"], **fields: Unpack[FactsFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["hardware"], **fields: Unpack[Hardware]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["removed"], **fields: Unpack[RemovedFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["resumed"], **fields: Unpack[ResumedFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["snapshot"], **fields: Unpack[SnapshotFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["layer"], **fields: Unpack[ShownLayer]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["weights"], **fields: Unpack[WeightsFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["sample"], **fields: Unpack[DatasetSample]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["sample"], **fields: Unpack[ImageSample]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["sample"], **fields: Unpack[ValidationSample]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["results"], **fields: Unpack[ResultsFields]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["skipped"], **fields: Unpack[Skipped]) -> JobEvent: ...
    @overload
    def append(self, type: Literal["message"], **fields: Unpack[LogMessageFields]) -> JobEvent: ...

    def append(self, type: str, **fields: Any) -> JobEvent:
        """Append an event and return it. `state` and `snapshot` events are flushed to the disk.

        The fields are checked by mypy only, for speed.
        """
        event = self._logged(type, fields)
        for listener in self.listeners:
            listener(event)
        return event

    def _logged(self, type: str, fields: dict[str, Any]) -> JobEvent:
        raise NotImplementedError


class NoLog(Log):
    """A log that keeps nothing, for processes that assist the process that writes the log."""

    def _logged(self, type: str, fields: dict[str, Any]) -> JobEvent:
        return cast(JobEvent, {"type": type, **fields})


class EventLog(Log):
    """A log opened for appending. `clock` returns the time in seconds since the epoch."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        self._file = path.open("ab", buffering=0)
        self._seq = _repair(path)

    def _logged(self, type: str, fields: dict[str, Any]) -> JobEvent:
        with self._lock:
            event = {"seq": self._seq + 1, "time": self._clock(), "type": type, **fields}
            self._write(json.dumps(event, allow_nan=False, separators=(",", ":")).encode() + b"\n")
            self._seq += 1
            if type in ("state", "snapshot"):
                os.fsync(self._file.fileno())
        return cast(JobEvent, event)

    def _write(self, line: bytes) -> None:
        """Write a complete line or nothing: a full disk may have space for a part of it."""
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


def _repair(path: Path) -> int:
    """Cut off an incomplete last line. Return the last sequence number (0 for an empty log)."""
    last, end = _last_line(path)
    if end < path.stat().st_size:
        os.truncate(path, end)
    event = _parsed(last)
    if last and event is None:
        # The last line is damaged. It stays, and the last readable line gives the number.
        return max((event["seq"] for event in read(path)), default=0)
    return int(event["seq"]) if event else 0


def _last_line(path: Path) -> tuple[bytes, int]:
    """The last complete line, and the offset after it."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end > 0 and tail.count(b"\n") < 2:
            begin = max(end - BLOCK, 0)
            file.seek(begin)
            tail, end = file.read(end - begin) + tail, begin
    complete = tail[: tail.rfind(b"\n") + 1]
    return complete[complete.rfind(b"\n", 0, len(complete) - 1) + 1 :], end + len(complete)


def read_from(path: Path, offset: int, max_bytes: int = -1) -> tuple[list[JobEvent], int]:
    """The complete events from a byte offset on, and the offset after the last of them.

    Reads about `max_bytes`, up to the end of a line; -1 reads the rest of the log.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(max_bytes)
            if max_bytes >= 0:
                data += file.readline()
    except FileNotFoundError:
        return [], offset
    complete = data[: data.rfind(b"\n") + 1]
    events = [event for line in complete.splitlines() if (event := _parsed(line))]
    return events, offset + len(complete)


def _parsed(line: bytes) -> JobEvent | None:
    """The event of a line; None if a bad disk or an editor damaged it. Other lines stay valid."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("seq"), int) and "type" in event
    return cast(JobEvent, event) if is_event else None


@overload
def read(path: Path, since: int = 0, types: None = None) -> Iterator[JobEvent]: ...
@overload
def read(path: Path, since: int = 0, *, types: frozenset[str]) -> Iterator[Any]: ...
@overload
def read(path: Path, since: int, types: frozenset[str] | None) -> Iterator[Any]: ...


def read(path: Path, since: int = 0, types: frozenset[str] | None = None) -> Iterator[Any]:
    """Events with a sequence number above `since`, of the given types or of all types."""
    # A long log has few events of the requested types: other lines are not parsed.
    marks = None if types is None else [f'"type":{json.dumps(type)}'.encode() for type in types]
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(_offset_before(file, since))
        for line in file:
            if not line.endswith(b"\n"):
                return
            if marks is None or any(mark in line for mark in marks):
                event = _parsed(line)
                if event and event["seq"] > since and (types is None or event["type"] in types):
                    yield event


def in_parts(
    path: Path, since: int = 0, types: frozenset[str] | None = None
) -> Iterator[list[JobEvent]]:
    """The events that `read` yields, in a list per BLOCK of the log; a list may be empty.

    For a caller that must let others run in between: a part takes about a millisecond.
    """
    try:
        with path.open("rb") as file:
            offset = _offset_before(file, since)
    except FileNotFoundError:
        return
    while True:
        events, end = read_from(path, offset, BLOCK)
        if end == offset:
            return
        offset = end
        yield [
            event
            for event in events
            if event["seq"] > since and (types is None or event["type"] in types)
        ]


def _offset_before(file: BinaryIO, since: int) -> int:
    """The offset of a line shortly before the first event above `since`.

    A binary search: sequence numbers grow.
    """
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


def read_only(path: Path, kind: type[AnyEvent], since: int = 0) -> Iterator[AnyEvent]:
    """Events of one class of types/events.py with a sequence number above `since`."""
    (name,) = get_args(get_type_hints(kind)["type"])
    return read(path, since, frozenset({name}))


def last_state(path: Path) -> StateEvent | None:
    """The newest `state` event of a log."""
    last = deque(read_only(path, StateEvent), maxlen=1)
    return last[0] if last else None
