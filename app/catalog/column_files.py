"""The column files of a log's index: a table per set of scalars, a file of float64 per column.

Table 0 has the files 0-0.f64, 0-1.f64, …: step, epoch, time, then the value of each of its keys.
"""

import math
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COORDINATES = ("step", "epoch", "time")

Steps = tuple[float, float]


@dataclass
class Table:
    """The scalars of a set of keys that are logged together; `rows` of each column are valid."""

    keys: list[str]
    rows: int = 0
    last: float = -math.inf
    """The step of the last row."""
    unsaved: list[tuple[float, ...]] = field(default_factory=list)
    """Rows that are not in the files yet."""


def cut(index: Path, number: int, table: Table, step: float) -> None:
    """Remove the rows at a step and after it."""
    write_out(index, number, table)
    steps = _read(index, number, 0, table.rows)
    table.rows = int(steps.searchsorted(step))
    table.last = float(steps[table.rows - 1]) if table.rows else -math.inf


def write_out(index: Path, number: int, table: Table) -> None:
    if not table.unsaved:
        return
    for column, values in enumerate(zip(*table.unsaved, strict=True)):
        overwrite(column_file(index, number, column), 8 * table.rows, array("d", values).tobytes())
    table.rows += len(table.unsaved)
    table.unsaved = []


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write the data at an offset and cut the file behind it.

    The data behind the offset is from a server that was killed before it saved its state.
    """
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()


def column_file(index: Path, number: int, column: int) -> Path:
    return index / f"{number}-{column}.f64"


def _read(index: Path, number: int, column: int, rows: int) -> Any:
    """A column of a table, memory-mapped: only the pages in use are read from the disk."""
    import numpy as np

    if not rows:
        return np.empty(0)
    return np.memmap(column_file(index, number, column), np.float64, "r", shape=(rows,)).view(
        np.ndarray
    )


def points_of(
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
    kept = kept_of(columns[3], most)
    if np.isnan(columns[3][kept]).any():  # Drop unknown values before thinning.
        numbers = np.flatnonzero(~np.isnan(columns[3]))
        kept = numbers[kept_of(columns[3][numbers], most)]
    return [np.array(column[kept]) for column in columns]


def kept_of(value: Any, most: int | None) -> Any:
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
