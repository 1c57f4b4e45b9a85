"""An index beside a job's log, so that a run of a million steps opens at once.

What the log says often (the numbers of curves) lies in it as columns, what it says rarely as lines:

    .index/state.json          how far the log was read, and the tables there are
    .index/0-0.f64 0-1.f64 …   table 0, a file a column of float64: step, epoch, time, then a value for each of its keys
    .index/rare.jsonl          the events of RARE, as they stand in the log

A table holds the scalars that come together. The index is made of the log alone, a piece at a time whenever somebody
asks or the follower has seen much, and may be deleted at any time.
"""

import json
import math
import shutil
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock

from jobs.events import Event, read, read_from
from jobs.folder import JobFolder

RARE = frozenset({"state", "message", "snapshot", "removed", "sample", "resumed", "facts", "skipped"})
PLACE = ("step", "epoch", "time")
PIECE = 2**20
"""Bytes of the log that are taken in at once, between two turns of the server's other work."""
VERSION = 1
ROWS_A_PART = 10_000

Series = dict[str, list[Any]]

_one_at_a_time = RLock()


@dataclass
class Table:
    """The scalars of some keys that come together; `rows` of each column are valid."""

    keys: list[str]
    rows: int = 0
    last: float = -math.inf
    """The step of the last row."""
    fresh: list[tuple[float, ...]] = field(default_factory=list)
    """Rows that are not in the files yet."""


@dataclass
class State:
    """How far the log was read; where the training stood then; `rare` is the length of rare.jsonl."""

    offset: int = 0
    seq: int = 0
    step: float = 0.0
    epoch_a_step: float = 0.0
    rare: int = 0
    tables: list[Table] = field(default_factory=list)


def series(
    folder: JobFolder, keys: frozenset[str] | None, max_points: int, between: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[dict[str, Series], int]:
    """Each scalar as {"step", "epoch", "time", "value"}, by step, and the sequence number up to which they are known.

    Of a series with more than `max_points` points between the two steps, the smallest and the largest of each bucket stay.
    """
    state = update(folder)
    found: dict[str, Series] = {}
    for key in sorted({key for table in state.tables for key in table.keys}):
        if keys is None or key in keys:
            columns = _column(folder, state, key, between)
            if len(columns[0]):
                found[key] = _thin(columns, max_points)
    return found, state.seq


def as_csv(folder: JobFolder, keys: frozenset[str] | None) -> Iterator[str]:
    """All points, none left out: lines of step, epoch, time and the scalars, empty where a scalar has no point at that step."""
    import numpy as np

    state = update(folder)
    there = sorted({key for table in state.tables for key in table.keys if keys is None or key in keys})
    found = [_column(folder, state, key, (-math.inf, math.inf)) for key in there]
    yield ",".join([*PLACE, *there]) + "\n"
    if not found:
        return
    steps, first = np.unique(np.concatenate([column[0] for column in found]), return_index=True)
    places = [np.concatenate([column[place] for column in found])[first] for place in (1, 2)]
    values = np.full((len(there), len(steps)), np.nan)
    for row, column in zip(values, found, strict=True):
        row[np.searchsorted(steps, column[0])] = column[3]
    for begin in range(0, len(steps), ROWS_A_PART):
        part = slice(begin, begin + ROWS_A_PART)
        rows = zip(steps[part].tolist(), *(place[part].tolist() for place in places), *values[:, part].tolist(), strict=True)
        yield "".join(f"{int(step)},{epoch:.6g},{time:.3f},{','.join(map(_cell, rest))}\n" for step, epoch, time, *rest in rows)


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def rare(folder: JobFolder, since: int, types: frozenset[str]) -> list[Event]:
    """The events above `since` of some types that are all RARE."""
    update(folder)
    return list(read(_place(folder) / "rare.jsonl", since, types))


def update(folder: JobFolder) -> State:
    """Take in what is new in the log."""
    with _one_at_a_time:
        state = _load(folder)
        while True:
            events, end = read_from(folder.events, state.offset, PIECE)
            if not events:
                return state
            _take_in(folder, state, events)
            state.offset = end
            _save(folder, state)
            gevent.sleep(0)


def keep_near(folder: JobFolder, offset: int) -> None:
    """Take in what is new once it is much; `offset` is the length of the log."""
    if offset - _load(folder).offset > PIECE:
        update(folder)


def _place(folder: JobFolder) -> Path:
    return folder.path / ".index"


def _load(folder: JobFolder) -> State:
    """The index as it was last saved; an empty one where there is none that belongs to the log."""
    path = _place(folder) / "state.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return State()
    size = folder.events.stat().st_size if folder.events.exists() else 0
    if told.pop("version", None) != VERSION or told["offset"] > size:
        shutil.rmtree(path.parent)
        return State()
    return State(**{**told, "tables": [Table(**{**table, "last": _number(table["last"])}) for table in told["tables"]]})


def _number(told: float | None) -> float:
    return -math.inf if told is None else told


def _save(folder: JobFolder, state: State) -> None:
    place = _place(folder)
    tables = []
    for number, table in enumerate(state.tables):
        _write_out(place, number, table)
        tables.append({"keys": table.keys, "rows": table.rows, "last": table.last if table.rows else None})
    told = {**{name: getattr(state, name) for name in ("offset", "seq", "step", "epoch_a_step", "rare")}, "tables": tables}
    draft = place / ".state.json"
    draft.write_text(json.dumps({"version": VERSION, **told}), encoding="utf-8")
    draft.replace(place / "state.json")


def _take_in(folder: JobFolder, state: State, events: list[Event]) -> None:
    place = _place(folder)
    place.mkdir(exist_ok=True)
    lines: list[bytes] = []
    for event in events:
        state.seq = event["seq"]
        match event["type"]:
            case "scalars":
                _add(place, state, event["scalars"], (event["step"], event["epoch"], event["time"]))
                state.step = event["step"]
                state.epoch_a_step = event["epoch"] / event["step"] if event["step"] else state.epoch_a_step
            case "progress":
                state.step = event["done"] if event["unit"] == "steps" else state.step
            case "hardware":
                _add(place, state, hardware(event), (state.step, state.step * state.epoch_a_step, event["time"]))
            case "resumed":
                for number, table in enumerate(state.tables):
                    _cut(place, number, table, event["step"] + 0.5)
                state.step = event["step"]
        if event["type"] in RARE:
            lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    if lines:
        _overwrite(place / "rare.jsonl", state.rare, b"".join(lines))
        state.rare += sum(map(len, lines))


def hardware(event: Event) -> dict[str, float | None]:
    """The curves of a `hardware` event: loads in percent of all cores or of a GPU, memory in bytes."""
    told: dict[str, float | None] = {"hardware/cpu": event["cpu"] / (event["cores"] or 1), "hardware/memory": event["rss"]}
    for number, gpu in enumerate(event["gpus"]):
        told[f"hardware/gpu{number}"] = gpu.get("utilisation")
        told[f"hardware/gpu{number}_memory"] = gpu.get("memory_used")
    return told


def _add(place: Path, state: State, scalars: dict[str, float | None], at: tuple[float, float, float]) -> None:
    keys = sorted(scalars)
    number = next((number for number, table in enumerate(state.tables) if table.keys == keys), len(state.tables))
    if number == len(state.tables):
        state.tables.append(Table(keys))
    table = state.tables[number]
    # A step that is logged again replaces its point; of the machine there are several readings a step.
    again = table.last > at[0] if keys[0].startswith("hardware/") else table.last >= at[0]
    if again:
        _cut(place, number, table, at[0])
    table.fresh.append((*at, *(math.nan if scalars[key] is None else float(scalars[key] or 0) for key in keys)))
    table.last = at[0]


def _cut(place: Path, number: int, table: Table, step: float) -> None:
    """Forget the rows at a step and behind it."""
    _write_out(place, number, table)
    steps = _read(place, number, 0, table.rows)
    table.rows = int(steps.searchsorted(step))
    table.last = float(steps[table.rows - 1]) if table.rows else -math.inf


def _write_out(place: Path, number: int, table: Table) -> None:
    if not table.fresh:
        return
    for column, values in enumerate(zip(*table.fresh, strict=True)):
        _overwrite(_column_file(place, number, column), 8 * table.rows, array("d", values).tobytes())
    table.rows += len(table.fresh)
    table.fresh = []


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put the data at an offset, in place of all behind it: what a server that was killed had not come to say is not there."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()


def _column_file(place: Path, number: int, column: int) -> Path:
    return place / f"{number}-{column}.f64"


def _read(place: Path, number: int, column: int, rows: int) -> Any:
    import numpy as np

    if not rows:
        return np.empty(0)
    return np.fromfile(_column_file(place, number, column), np.float64, rows)


def _column(folder: JobFolder, state: State, key: str, between: tuple[float, float]) -> list[Any]:
    """Step, epoch, time and value of all points of a key between two steps, both included."""
    import numpy as np

    parts = []
    for number, table in enumerate(state.tables):
        if key not in table.keys:
            continue
        steps = _read(_place(folder), number, 0, table.rows)
        first, last = steps.searchsorted(between[0], "left"), steps.searchsorted(between[1], "right")
        columns = (0, 1, 2, len(PLACE) + table.keys.index(key))
        part = [_read(_place(folder), number, column, table.rows)[first:last] for column in columns]
        known = np.isfinite(part[3])
        parts.append(part if known.all() else [one[known] for one in part])
    if len(parts) == 1:
        return parts[0]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    order = joined[0].argsort(kind="stable")
    return [column[order] for column in joined]


def _thin(columns: list[Any], most: int) -> Series:
    """At most `most` points as lists, extremes kept."""
    import numpy as np

    count = len(columns[0])
    if count > most:
        size = math.ceil(count / max(most // 2, 1))
        value = np.pad(columns[3], (0, -count % size), mode="edge").reshape(-1, size)
        starts = np.arange(len(value)) * size
        kept = np.unique(np.minimum(np.concatenate((starts + value.argmin(1), starts + value.argmax(1))), count - 1))
        columns = [column[kept] for column in columns]
    step, epoch, time, value = columns
    return {
        "step": step.astype(np.int64).tolist(),
        "epoch": epoch.round(6).tolist(),
        "time": time.round(3).tolist(),
        "value": value.tolist(),
    }
