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
from weakref import WeakValueDictionary

import gevent
from gevent.lock import RLock

from jobs.core.events import Event, read, read_from
from jobs.core.folder import JobFolder

RARE = frozenset(
    {"state", "message", "snapshot", "removed", "sample", "resumed", "facts", "skipped"}
)
PLACE = ("step", "epoch", "time")
PIECE = 2**18
"""Bytes of the log that are taken in at once, between two turns of the server's other work."""
BREATH = 0.001
"""Seconds between two pieces: a sleep of nothing would give the sockets no turn."""
FAR = 2**20
"""Bytes that an index may lack before the follower brings it up to date."""
VERSION = 1
ROWS_A_PART = 10_000

Series = dict[str, list[Any]]
Steps = tuple[float, float]

_locks: WeakValueDictionary[Path, RLock] = WeakValueDictionary()
"""One a folder: a long index that is made holds up nobody who asks for another."""


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
    folder: JobFolder,
    keys: frozenset[str] | None,
    max_points: int,
    between: Steps = (-math.inf, math.inf),
) -> tuple[dict[str, Series], int]:
    """Each scalar as {"step", "epoch", "time", "value"}, by step, and the sequence number up to which they are known.

    Of a series with more than `max_points` points between the two steps, the smallest and the largest of each bucket stay.
    """
    state = update(folder)
    found: dict[str, Series] = {}
    for key in sorted({key for table in state.tables for key in table.keys}):
        if keys is None or key in keys:
            columns = _columns(folder, state, key, between, max_points)
            if len(columns[0]):
                found[key] = _as_lists(*columns)
    return found, state.seq


def as_csv(folder: JobFolder, keys: frozenset[str] | None) -> Iterator[str]:
    """All points, none left out: lines of step, epoch, time and the scalars, empty where a scalar has no point at that step."""
    import numpy as np

    state = update(folder)
    there = sorted(
        {key for table in state.tables for key in table.keys if keys is None or key in keys}
    )
    found = [_columns(folder, state, key, (-math.inf, math.inf)) for key in there]
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
    """The events above `since` of some types that are all RARE."""
    update(folder)
    return list(read(_place(folder) / "rare.jsonl", since, types))


def update(folder: JobFolder) -> State:
    """Take in what is new in the log."""
    lock = _locks.setdefault(folder.path, RLock())
    with lock:
        state = _load(folder)
        while True:
            events, end = read_from(folder.events, state.offset, PIECE)
            if not events:
                return state
            _take_in(folder, state, events)
            state.offset = end
            _save(folder, state)
            gevent.sleep(BREATH)


def is_far_behind(folder: JobFolder, offset: int) -> bool:
    """Whether much of the log, which has the length `offset`, is not taken in yet; False while somebody does so."""
    lock = _locks.get(folder.path)
    return (lock is None or not lock.locked()) and offset - _load(folder).offset > FAR


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
    if told.pop("version", None) == VERSION and told["offset"] <= size:
        state = State(
            **{
                **told,
                "tables": [
                    Table(**{**table, "last": _number(table["last"])}) for table in told["tables"]
                ],
            }
        )
        if _is_whole(path.parent, state):
            return state
    shutil.rmtree(path.parent)
    return State()


def _is_whole(place: Path, state: State) -> bool:
    """Whether the files hold what the state says: after a crash of the machine they may be older than it."""
    ends = {place / "rare.jsonl": state.rare}
    for number, table in enumerate(state.tables):
        ends |= {
            _column_file(place, number, column): 8 * table.rows
            for column in range(len(PLACE) + len(table.keys))
        }
    return all(
        not end or (path.exists() and path.stat().st_size >= end) for path, end in ends.items()
    )


def _number(told: float | None) -> float:
    return -math.inf if told is None else told


def _save(folder: JobFolder, state: State) -> None:
    place = _place(folder)
    tables = []
    for number, table in enumerate(state.tables):
        _write_out(place, number, table)
        tables.append(
            {"keys": table.keys, "rows": table.rows, "last": table.last if table.rows else None}
        )
    told = {
        **{
            name: getattr(state, name) for name in ("offset", "seq", "step", "epoch_a_step", "rare")
        },
        "tables": tables,
    }
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
                state.epoch_a_step = (
                    event["epoch"] / event["step"] if event["step"] else state.epoch_a_step
                )
            case "progress":
                state.step = event["done"] if event["unit"] == "steps" else state.step
            case "hardware":
                _add(
                    place,
                    state,
                    hardware(event),
                    (state.step, state.step * state.epoch_a_step, event["time"]),
                )
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
    told: dict[str, float | None] = {
        "hardware/cpu": event["cpu"] / (event["cores"] or 1),
        "hardware/memory": event["rss"],
    }
    for number, gpu in enumerate(event["gpus"]):
        told[f"hardware/gpu{number}"] = gpu.get("utilisation")
        told[f"hardware/gpu{number}_memory"] = gpu.get("memory_used")
    return told


def _add(
    place: Path, state: State, scalars: dict[str, float | None], at: tuple[float, float, float]
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
    # A step that is logged again replaces its point; of the machine there are several readings a step.
    again = table.last > at[0] if keys[0].startswith("hardware/") else table.last >= at[0]
    if again:
        _cut(place, number, table, at[0])
    table.fresh.append(
        (*at, *(math.nan if scalars[key] is None else float(scalars[key] or 0) for key in keys))
    )
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
        _overwrite(
            _column_file(place, number, column), 8 * table.rows, array("d", values).tobytes()
        )
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
    """A column of a table, mapped: only what is looked at is read."""
    import numpy as np

    if not rows:
        return np.empty(0)
    return np.memmap(_column_file(place, number, column), np.float64, "r", shape=(rows,)).view(
        np.ndarray
    )


def _columns(
    folder: JobFolder, state: State, key: str, between: Steps, most: int | None = None
) -> list[Any]:
    """Step, epoch, time and value of the points of a key between two steps, both included; at most `most`, extremes kept."""
    import numpy as np

    tables = [
        (number, table)
        for number, table in enumerate(state.tables)
        if key in table.keys and table.rows
    ]
    parts = [_part(_place(folder), number, table, key, between, most) for number, table in tables]
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
    place: Path, number: int, table: Table, key: str, between: Steps, most: int | None
) -> list[Any]:
    """The points of a key in one table. Of the columns beside the values only the points that are kept are looked at."""
    import numpy as np

    columns = [
        _read(place, number, column, table.rows)
        for column in (0, 1, 2, len(PLACE) + table.keys.index(key))
    ]
    # With a neighbour on either side, to which the line is drawn.
    first = max(columns[0].searchsorted(between[0], "left") - 1, 0)
    last = columns[0].searchsorted(between[1], "right") + 1
    columns = [column[first:last] for column in columns]
    kept = _kept(columns[3], most)
    if np.isnan(columns[3][kept]).any():  # Some points are not known: those are left out before.
        known = np.flatnonzero(~np.isnan(columns[3]))
        kept = known[_kept(columns[3][known], most)]
    return [np.array(column[kept]) for column in columns]


def _kept(value: Any, most: int | None) -> Any:
    """Places of at most `most` of the values: the smallest and the largest of each bucket, the first and the last of all.

    Where a bucket has a value that is no number, the place of one such is among them."""
    import numpy as np

    count = len(value)
    if most is None or count <= most:
        return slice(None)
    size = math.ceil(count / max(most // 2 - 2, 1))
    whole = count // size
    buckets = value[: whole * size].reshape(whole, size)
    starts = np.arange(whole) * size
    rest = value[whole * size :]
    ends = [0, count - 1] + (
        [whole * size + int(rest.argmin()), whole * size + int(rest.argmax())] if len(rest) else []
    )
    return np.unique(np.concatenate((starts + buckets.argmin(1), starts + buckets.argmax(1), ends)))


def _as_lists(step: Any, epoch: Any, time: Any, value: Any) -> Series:
    return {
        "step": list(map(int, step.tolist())),
        "epoch": epoch.round(6).tolist(),
        "time": time.round(3).tolist(),
        "value": value.tolist(),
    }
