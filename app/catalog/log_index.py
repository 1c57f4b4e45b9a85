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
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import gevent
from gevent.lock import RLock

from app.catalog.column_files import (
    COORDINATES,
    Steps,
    Table,
    column_file,
    cut,
    kept_of,
    overwrite,
    points_of,
    write_out,
)
from app.threads import in_thread
from app.turns import PAUSE, in_turns
from jobs.core.durable_files import write_whole
from jobs.core.events import in_parts, read_from
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.core.types.load import Hardware

RARE = frozenset(
    {"state", "message", "snapshot", "removed", "sample", "resumed", "facts", "skipped", "weights"}
)
CHUNK = 2**18
"""Bytes of the log to index at once. Other greenlets run between two chunks."""
MAX_LAG = 2**20
"""Bytes of the log that may be missing in the index before the follower updates it."""
VERSION = 1
ROWS_PER_PART = 200

Series = dict[str, list[Any]]

_locks: WeakValueDictionary[Path, RLock] = WeakValueDictionary()
"""A lock per folder: the update of a long index does not delay requests for others."""


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
    _import_numpy()
    state = update(folder)
    by_key: dict[str, Series] = {}
    for key in in_turns(sorted({key for table in state.tables for key in table.keys})):
        if keys is None or key in keys:
            columns = _columns(folder, state, key, between, max_points)
            if len(columns[0]):
                by_key[key] = _as_lists(*columns)
    return by_key, state.seq


def points(
    folder: JobFolder, keys: frozenset[str] | None
) -> tuple[list[str], Iterator[list[tuple[Any, ...]]]]:
    """All points: the names of their columns, then parts of their rows, by step.

    A scalar without a point at a step is NaN.
    """
    _import_numpy()
    state = update(folder)
    names = sorted(
        {key for table in state.tables for key in table.keys if keys is None or key in keys}
    )
    return [*COORDINATES, *names], _rows(folder, state, names)


def _import_numpy() -> None:
    """Import numpy in a thread: it takes 0.1 s, in which other requests would not be answered."""
    if "numpy" not in sys.modules:
        in_thread(import_module, "numpy")


def _rows(folder: JobFolder, state: State, names: list[str]) -> Iterator[list[tuple[Any, ...]]]:
    whole = (-math.inf, math.inf)
    curves = [_columns(folder, state, name, whole) for name in in_turns(names)]
    if not curves:
        return
    columns = in_thread(_by_step, curves)
    for begin in range(0, len(columns[0]), ROWS_PER_PART):
        part = slice(begin, begin + ROWS_PER_PART)
        yield list(zip(*(column[part].tolist() for column in columns), strict=True))


def _by_step(curves: list[list[Any]]) -> tuple[Any, ...]:
    """Step, epoch, time and the values of each curve at all steps of any of them; else NaN."""
    import numpy as np

    steps, first = np.unique(np.concatenate([curve[0] for curve in curves]), return_index=True)
    epochs, times = (np.concatenate([curve[at] for curve in curves])[first] for at in (1, 2))
    values = np.full((len(curves), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[np.searchsorted(steps, curve[0])] = curve[3]
    return steps.astype(int), epochs.round(6), times.round(3), *values


def rare(folder: JobFolder, since: int, types: frozenset[str]) -> Iterator[list[JobEvent]]:
    """The events after the sequence number `since` of some types, which must all be RARE.

    In parts, as `in_parts` of jobs/core/events.py yields them.
    """
    update(folder)
    return in_parts(_index_of(folder) / "rare.jsonl", since, types)


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
            column_file(index, number, column): 8 * table.rows
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
        write_out(index, number, table)
        tables.append(
            {"keys": table.keys, "rows": table.rows, "last": table.last if table.rows else None}
        )
    saved = {
        **{
            name: getattr(state, name) for name in ("offset", "seq", "step", "epoch_a_step", "rare")
        },
        "tables": tables,
    }
    write_whole(index / "state.json", json.dumps({"version": VERSION, **saved}))


def _add_events(folder: JobFolder, state: State, events: list[JobEvent]) -> None:
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
                    cut(index, number, table, event["step"] + 0.5)
                state.step = event["step"]
        if event["type"] in RARE:
            lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    if lines:
        overwrite(index / "rare.jsonl", state.rare, b"".join(lines))
        state.rare += sum(map(len, lines))


def hardware(event: Hardware) -> dict[str, float | None]:
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
        cut(index, number, table, at[0])
    table.unsaved.append(
        (*at, *(math.nan if scalars[key] is None else float(scalars[key] or 0) for key in keys))
    )
    table.last = at[0]


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
        points_of(_index_of(folder), number, table, key, between, most) for number, table in tables
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
    kept = kept_of(columns[3], most)
    return [column[kept] for column in columns]


def _as_lists(step: Any, epoch: Any, time: Any, value: Any) -> Series:
    return {
        "step": list(map(int, step.tolist())),
        "epoch": epoch.round(6).tolist(),
        "time": time.round(3).tolist(),
        "value": value.tolist(),
    }
