"""The index of a job's event log: with it, a run of a million steps opens without a delay.

It holds frequent data (points of curves) as columns and rare events as lines:

    .index/state.json          how much of the log is indexed, and the list of tables
    .index/0-0.f64 0-1.f64 …   table 0, a file of float64 per column: step, epoch, time, then
                               the value of each of its keys
    .index/rare.jsonl          the events of RARE, as in the log

A table holds the scalars that are logged together. The index is computed from the log alone, in
chunks, when a request needs it or when it lags far behind. It may be deleted at any time.
"""

import json
import math
import shutil
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import gevent
from gevent.lock import RLock

from jobs.core.events import Event, read, read_from
from jobs.core.folder import JobFolder

RARE = frozenset(
    {"state", "message", "snapshot", "removed", "sample", "resumed", "facts", "skipped"}
)
COORDINATES = ("step", "epoch", "time")
CHUNK = 2**18
"""Bytes of the log to index at once. Other greenlets run between two chunks."""
PAUSE = 0.001
"""Seconds between two chunks. With gevent.sleep(0), sockets would not be polled."""
MAX_LAG = 2**20
"""Bytes of the log that may be missing in the index before the follower updates it."""
VERSION = 1
ROWS_PER_PART = 10_000

Series = dict[str, list[Any]]
Steps = tuple[float, float]

_locks: WeakValueDictionary[Path, RLock] = WeakValueDictionary()
"""A lock per folder: the update of a long index does not delay requests for others."""


@dataclass
class Table:
    """The scalars of a set of keys that are logged together; `rows` of each column are valid."""

    keys: list[str]
    rows: int = 0
    last: float = -math.inf
    """The step of the last row."""
    unsaved: list[tuple[float, ...]] = field(default_factory=list)
    """Rows that are not in the files yet."""


@dataclass
class State:
    """How much of the log is indexed: `offset` in bytes, `seq` of the last event.

    `step` is the training step at that point, `epoch_a_step` the epochs per step, `rare` the size
    of rare.jsonl in bytes.
    """

    offset: int = 0
    seq: int = 0
    step: float = 0.0
    epoch_a_step: float = 0.0
    rare: int = 0
    tables: list[Table] = field(default_factory=list)


def series(
    folder: JobFolder,
    keys: frozenset[str] | None,
    max_points: int,
    between: Steps = (-math.inf, math.inf),
) -> tuple[dict[str, Series], int]:
    """Each scalar as {"step", "epoch", "time", "value"}, by step, and the last sequence number.

    A series with more than `max_points` points between the two steps is thinned: the smallest and
    the largest value of each bucket are kept.
    """
    state = update(folder)
    by_key: dict[str, Series] = {}
    for key in sorted({key for table in state.tables for key in table.keys}):
        if keys is None or key in keys:
            columns = _columns(folder, state, key, between, max_points)
            if len(columns[0]):
                by_key[key] = _as_lists(*columns)
    return by_key, state.seq


def as_csv(folder: JobFolder, keys: frozenset[str] | None) -> Iterator[str]:
    """All points as CSV: lines of step, epoch, time and the scalars.

    A scalar without a point at a step has an empty cell.
    """
    import numpy as np

    state = update(folder)
    names = sorted(
        {key for table in state.tables for key in table.keys if keys is None or key in keys}
    )
    curves = [_columns(folder, state, name, (-math.inf, math.inf)) for name in names]
    yield ",".join([*COORDINATES, *names]) + "\n"
    if not curves:
        return
    steps, first = np.unique(np.concatenate([curve[0] for curve in curves]), return_index=True)
    places = [np.concatenate([curve[column] for curve in curves])[first] for column in (1, 2)]
    values = np.full((len(names), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[np.searchsorted(steps, curve[0])] = curve[3]
    for begin in range(0, len(steps), ROWS_PER_PART):
        part = slice(begin, begin + ROWS_PER_PART)
        rows = zip(
            steps[part].tolist(),
            *(place[part].tolist() for place in places),
            *values[:, part].tolist(),
            strict=True,
        )
        yield "".join(
            f"{int(step)},{epoch:.6g},{time:.3f},{','.join(map(_cell, rest))}\n"
            for step, epoch, time, *rest in rows
        )


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def rare(folder: JobFolder, since: int, types: frozenset[str]) -> list[Event]:
    """The events after the sequence number `since` of some types, which must all be RARE."""
    update(folder)
    return list(read(_index_of(folder) / "rare.jsonl", since, types))


def update(folder: JobFolder) -> State:
    """Index the new events of the log."""
    lock = _locks.setdefault(folder.path, RLock())
    with lock:
        state = _load(folder)
        while True:
            events, end = read_from(folder.events, state.offset, CHUNK)
            if not events:
                return state
            _add_events(folder, state, events)
            state.offset = end
            _save(folder, state)
            gevent.sleep(PAUSE)


def is_far_behind(folder: JobFolder, offset: int) -> bool:
    """Whether the index lacks more than MAX_LAG bytes of a log of `offset` bytes.

    False during an update.
    """
    lock = _locks.get(folder.path)
    return (lock is None or not lock.locked()) and offset - _load(folder).offset > MAX_LAG


def _index_of(folder: JobFolder) -> Path:
    return folder.path / ".index"


def _load(folder: JobFolder) -> State:
    """Load the saved index; return an empty index if it is missing or does not match the log."""
    path = _index_of(folder) / "state.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return State()
    size = folder.events.stat().st_size if folder.events.exists() else 0
    if saved.pop("version", None) == VERSION and saved["offset"] <= size:
        state = State(
            **{
                **saved,
                "tables": [
                    Table(**{**table, "last": _or_minus_infinity(table["last"])})
                    for table in saved["tables"]
                ],
            }
        )
        if _is_complete(path.parent, state):
            return state
    shutil.rmtree(path.parent)
    return State()


def _is_complete(index: Path, state: State) -> bool:
    """Whether the files have the sizes that the state needs.

    After a crash of the machine, they may be older than the state.
    """
    sizes = {index / "rare.jsonl": state.rare}
    for number, table in enumerate(state.tables):
        sizes |= {
            _column_file(index, number, column): 8 * table.rows
            for column in range(len(COORDINATES) + len(table.keys))
        }
    return all(
        not size or (path.exists() and path.stat().st_size >= size) for path, size in sizes.items()
    )


def _or_minus_infinity(value: float | None) -> float:
    return -math.inf if value is None else value


def _save(folder: JobFolder, state: State) -> None:
    index = _index_of(folder)
    tables = []
    for number, table in enumerate(state.tables):
        _write_out(index, number, table)
        tables.append(
            {"keys": table.keys, "rows": table.rows, "last": table.last if table.rows else None}
        )
    saved = {
        **{
            name: getattr(state, name) for name in ("offset", "seq", "step", "epoch_a_step", "rare")
        },
        "tables": tables,
    }
    draft = index / ".state.json"
    draft.write_text(json.dumps({"version": VERSION, **saved}), encoding="utf-8")
    draft.replace(index / "state.json")


def _add_events(folder: JobFolder, state: State, events: list[Event]) -> None:
    index = _index_of(folder)
    index.mkdir(exist_ok=True)
    lines: list[bytes] = []
    for event in events:
        state.seq = event["seq"]
        match event["type"]:
            case "scalars":
                _add(index, state, event["scalars"], (event["step"], event["epoch"], event["time"]))
                state.step = event["step"]
                state.epoch_a_step = (
                    event["epoch"] / event["step"] if event["step"] else state.epoch_a_step
                )
            case "progress":
                state.step = event["done"] if event["unit"] == "steps" else state.step
            case "hardware":
                _add(
                    index,
                    state,
                    hardware(event),
                    (state.step, state.step * state.epoch_a_step, event["time"]),
                )
            case "resumed":
                for number, table in enumerate(state.tables):
                    _cut(index, number, table, event["step"] + 0.5)
                state.step = event["step"]
        if event["type"] in RARE:
            lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    if lines:
        _overwrite(index / "rare.jsonl", state.rare, b"".join(lines))
        state.rare += sum(map(len, lines))


def hardware(event: Event) -> dict[str, float | None]:
    """The curves of a `hardware` event.

    Loads are in percent of all cores or of a GPU, memory is in bytes.
    """
    curves: dict[str, float | None] = {
        "hardware/cpu": event["cpu"] / (event["cores"] or 1),
        "hardware/memory": event["rss"],
    }
    for number, gpu in enumerate(event["gpus"]):
        curves[f"hardware/gpu{number}"] = gpu.get("utilisation")
        curves[f"hardware/gpu{number}_memory"] = gpu.get("memory_used")
    return curves


def _add(
    index: Path, state: State, scalars: dict[str, float | None], at: tuple[float, float, float]
) -> None:
    if not scalars:
        return
    keys = sorted(scalars)
    number = next(
        (number for number, table in enumerate(state.tables) if table.keys == keys),
        len(state.tables),
    )
    if number == len(state.tables):
        state.tables.append(Table(keys))
    table = state.tables[number]
    # A step that is logged again replaces its point. The hardware is logged several times a step.
    replaces = table.last > at[0] if keys[0].startswith("hardware/") else table.last >= at[0]
    if replaces:
        _cut(index, number, table, at[0])
    table.unsaved.append(
        (*at, *(math.nan if scalars[key] is None else float(scalars[key] or 0) for key in keys))
    )
    table.last = at[0]


def _cut(index: Path, number: int, table: Table, step: float) -> None:
    """Remove the rows at a step and after it."""
    _write_out(index, number, table)
    steps = _read(index, number, 0, table.rows)
    table.rows = int(steps.searchsorted(step))
    table.last = float(steps[table.rows - 1]) if table.rows else -math.inf


def _write_out(index: Path, number: int, table: Table) -> None:
    if not table.unsaved:
        return
    for column, values in enumerate(zip(*table.unsaved, strict=True)):
        _overwrite(
            _column_file(index, number, column), 8 * table.rows, array("d", values).tobytes()
        )
    table.rows += len(table.unsaved)
    table.unsaved = []


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write the data at an offset and cut the file behind it.

    The data behind the offset is from a server that was killed before it saved its state.
    """
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()


def _column_file(index: Path, number: int, column: int) -> Path:
    return index / f"{number}-{column}.f64"


def _read(index: Path, number: int, column: int, rows: int) -> Any:
    """A column of a table, memory-mapped: only the pages in use are read from the disk."""
    import numpy as np

    if not rows:
        return np.empty(0)
    return np.memmap(_column_file(index, number, column), np.float64, "r", shape=(rows,)).view(
        np.ndarray
    )


def _columns(
    folder: JobFolder, state: State, key: str, between: Steps, most: int | None = None
) -> list[Any]:
    """Step, epoch, time and value of the points of a key between two steps, inclusive.

    Returns at most `most` points; thinning keeps the extremes.
    """
    import numpy as np

    tables = [
        (number, table)
        for number, table in enumerate(state.tables)
        if key in table.keys and table.rows
    ]
    parts = [
        _part(_index_of(folder), number, table, key, between, most) for number, table in tables
    ]
    if len(parts) == 1:
        return parts[0]
    joined = (
        [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        if parts
        else [np.empty(0)] * 4
    )
    order = joined[0].argsort(kind="stable")
    columns = [column[order] for column in joined]
    kept = _kept(columns[3], most)
    return [column[kept] for column in columns]


def _part(
    index: Path, number: int, table: Table, key: str, between: Steps, most: int | None
) -> list[Any]:
    """The points of a key in one table.

    Reads all values, but the other columns only at the points that are kept.
    """
    import numpy as np

    columns = [
        _read(index, number, column, table.rows)
        for column in (0, 1, 2, len(COORDINATES) + table.keys.index(key))
    ]
    # With a neighbour on either side: the chart draws the line to it.
    first = max(columns[0].searchsorted(between[0], "left") - 1, 0)
    last = columns[0].searchsorted(between[1], "right") + 1
    columns = [column[first:last] for column in columns]
    kept = _kept(columns[3], most)
    if np.isnan(columns[3][kept]).any():  # Drop unknown values before thinning.
        numbers = np.flatnonzero(~np.isnan(columns[3]))
        kept = numbers[_kept(columns[3][numbers], most)]
    return [np.array(column[kept]) for column in columns]


def _kept(value: Any, most: int | None) -> Any:
    """Indices of at most `most` of the values.

    They are the smallest and the largest value of each bucket, and the first and the last value.
    For a bucket with NaN, the index of a NaN is among them.
    """
    import numpy as np

    count = len(value)
    if most is None or count <= most:
        return slice(None)
    size = math.ceil(count / max(most // 2 - 2, 1))
    full = count // size
    buckets = value[: full * size].reshape(full, size)
    starts = np.arange(full) * size
    rest = value[full * size :]
    ends = [0, count - 1] + (
        [full * size + int(rest.argmin()), full * size + int(rest.argmax())] if len(rest) else []
    )
    return np.unique(np.concatenate((starts + buckets.argmin(1), starts + buckets.argmax(1), ends)))


def _as_lists(step: Any, epoch: Any, time: Any, value: Any) -> Series:
    return {
        "step": list(map(int, step.tolist())),
        "epoch": epoch.round(6).tolist(),
        "time": time.round(3).tolist(),
        "value": value.tolist(),
    }
