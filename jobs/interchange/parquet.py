"""Parquet files as Hugging Face's `datasets` reads and writes them. They need pyarrow."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from jobs.core.durable_files import sync
from jobs.core.errors import JobError
from jobs.core.paths import open_file
from jobs.interchange.pairs import FACTS, ExportedPair

NAMES = {"train": "train", "val": "validation", "test": "test"}
"""The names of the splits in `datasets`."""
GROUP_BYTES = 32 * 2**20
GROUP_ROWS = 256
ROWS_PER_READ = 16
SHARD_BYTES = 500 * 10**6
PICTURES = ("input", "target", "qp_map")


def pyarrow(module: str = "pyarrow") -> Any:
    """A module of pyarrow. Raises JobError if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise JobError(
            "Parquet needs the package pyarrow. Install it with "
            "`pip install 'clearframe[parquet]'`, or choose another format."
        ) from error


class ParquetWriter:
    """Writes data/train-00000-of-00002.parquet and so on, and README.md with the splits."""

    def __init__(self, folder: Path, name: str, files: ExitStack) -> None:
        self._files = files
        self._arrow, self._parquet = pyarrow(), pyarrow("pyarrow.parquet")
        self._folder, self._name = folder, name
        self._schema = _schema(self._arrow)
        self._shards: dict[str, int] = {}
        self._split = ""
        self._table: Any = None
        self._file: BinaryIO | None = None
        self._rows: list[dict[str, Any]] = []
        self._group_bytes = self._shard_bytes = 0
        (folder / "data").mkdir()

    def add(self, pair: ExportedPair) -> None:
        if pair.split != self._split or self._shard_bytes >= SHARD_BYTES:
            self._end_shard()
            self._begin_shard(pair.split)
        row = {"name": pair.name, **pair.facts}
        for role in PICTURES:
            data = getattr(pair, role)
            row[role] = {"bytes": data, "path": f"{pair.name}.png"} if data else None
            self._group_bytes += len(data)
        self._rows.append(row)
        if self._group_bytes >= GROUP_BYTES or len(self._rows) == GROUP_ROWS:
            self._write_group()

    def _path(self, split: str, shard: int, count: str) -> Path:
        return self._folder / "data" / f"{NAMES[split]}-{shard:05d}{count}.parquet"

    def _begin_shard(self, split: str) -> None:
        shard = self._shards.get(split, 0)
        self._split, self._shards[split] = split, shard + 1
        # A file of Python's: its errors have the errno of a full disk.
        file = self._files.enter_context(self._path(split, shard, "").open("wb"))
        # Pictures are compressed already.
        self._table = self._files.enter_context(
            self._parquet.ParquetWriter(
                file, self._schema, compression="none", use_dictionary=["sequence", "rate"]
            )
        )
        self._file = file

    def _write_group(self) -> None:
        if self._rows:
            self._table.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._shard_bytes += self._group_bytes
        self._rows, self._group_bytes = [], 0

    def _end_shard(self) -> None:
        if self._file is not None:
            self._write_group()
            self._table.close()
            self._file.close()
            sync(self._path(self._split, self._shards[self._split] - 1, ""))
        self._file, self._shard_bytes = None, 0

    def finish(self) -> None:
        """End the last shard, and name all by their number, which is known only now."""
        self._end_shard()
        for split, count in self._shards.items():
            for shard in range(count):
                path = self._path(split, shard, "")
                path.rename(self._path(split, shard, f"-of-{count:05d}"))
        splits = "".join(
            f"      - split: {NAMES[split]}\n        path: data/{NAMES[split]}-*\n"
            for split in self._shards
        )
        (self._folder / "README.md").write_text(
            f"---\nconfigs:\n  - config_name: default\n    data_files:\n{splits}---\n\n"
            f"# {self._name}\n\nPairs of damaged inputs and their original targets, "
            "exported by Clearframe.\n",
            encoding="utf-8",
        )


def _schema(arrow: Any) -> Any:
    """The columns, with the types of `datasets` in their metadata: pictures are images."""
    picture = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    types = {str: (arrow.string(), "string"), int: (arrow.int64(), "int64")}
    types[float] = arrow.float64(), "float64"
    fields = [("name", arrow.string()), *((role, picture) for role in PICTURES)]
    fields += [(key, types[kind][0]) for key, kind in FACTS.items()]
    features: dict[str, Any] = {"name": {"dtype": "string", "_type": "Value"}}
    features |= {role: {"_type": "Image"} for role in PICTURES}
    features |= {key: {"dtype": types[kind][1], "_type": "Value"} for key, kind in FACTS.items()}
    return arrow.schema(
        fields, metadata={"huggingface": json.dumps({"info": {"features": features}})}
    )


def columns_of(path: Path) -> tuple[list[str], int]:
    """The names of the columns of pictures in a file, and its number of rows. Raises JobError.

    Without a column of pictures, the names of all columns.
    """
    with open_file(path) as file, _readable(path):
        parquet = _reader(file)
        schema = parquet.schema_arrow
        pictures = [column.name for column in schema if _may_hold_pictures(column.type)]
        return pictures or list(schema.names), int(parquet.metadata.num_rows)


def _may_hold_pictures(type: Any) -> bool:
    types = pyarrow("pyarrow.types")
    if types.is_struct(type):
        return bool(type.get_field_index("bytes") >= 0)
    return any(check(type) for check in (types.is_binary, types.is_large_binary))


def values(path: Path, column: str) -> Iterator[bytes]:
    """The image files of a column, in order; empty where there is none.

    Memory holds a few rows. Raises JobError.
    """
    row = 0
    with open_file(path) as file, _readable(path):
        for batch in _reader(file).iter_batches(ROWS_PER_READ, columns=[column]):
            for value in batch.column(0).to_pylist():
                yield _bytes(value, f"{path}, row {row}, column {column}")
                row += 1


def _bytes(value: Any, where: str) -> bytes:
    if value is None:
        return b""
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise JobError(
            f"{where} has no image file, but a path or another value. Write the pictures into the "
            "Parquet files, as `datasets` does with to_parquet."
        )
    return data


def _reader(file: BinaryIO) -> Any:
    # Buffered: a column of a large row group would otherwise be read at once.
    return pyarrow("pyarrow.parquet").ParquetFile(file, buffer_size=2**20, pre_buffer=False)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    arrow = pyarrow()
    try:
        yield
    except (arrow.ArrowException, OSError) as error:
        raise JobError(
            f"{path} cannot be read as Parquet: {str(error).splitlines()[0]} Write it again."
        ) from error
