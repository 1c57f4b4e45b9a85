"""Pictures in files of other programs: LMDB of BasicSR and Caffe, tar shards, Parquet.

Each function returns the inputs and the targets of a split. Names are read at once, pictures one
after the other while the dataset is made.
"""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from jobs.core.errors import JobError
from jobs.core.limits import max_image_bytes, max_image_mb
from jobs.core.paths import may_read, open_file
from jobs.interchange import datum, parquet
from jobs.media.images import PackedFile, Picture
from jobs.media.originals import Packed
from jobs.media.video import Load

LMDB_FILE = "data.mdb"
META_INFO = "meta_info.txt"
VALUES_PER_READ = 16
MAX_NAMES = 3

RoleOf = Callable[[str], str]
"""Returns input, target, or nothing for the name of a field."""
Pair = tuple[Packed, Packed]


def packed_file(path: Path, data: bytes, map: bytes = b"") -> PackedFile:
    """An image file by its content. Raises JobError if it is too large to be read."""
    _require_small(path, max(len(data), len(map)))
    return PackedFile(path, data=data, packed_map=map)


def _require_small(path: Path, size: int) -> None:
    if size > max_image_bytes():
        raise JobError(
            f"{path} is refused: it has more than {max_image_mb()} MiB (--max-image-mb)."
        )


def lmdb_pair(input: Path, target: Path) -> Pair:
    """The pictures of two environments of BasicSR, or of Caffe. Their keys must be equal."""
    keys, others = _keys(input), set(_keys(target))
    missing = [key for key in keys if key not in others] or list(others - set(keys))
    if missing:
        names = ", ".join(key.decode(errors="replace") for key in missing[:MAX_NAMES])
        raise JobError(
            f"{input} and {target} have different keys: {names} "
            f"{'is' if len(missing) == 1 else 'are'} in one of them only. Give LMDB with a pair "
            "for each key."
        )
    if not keys:
        raise JobError(f"{input} contains no picture. Give an LMDB with pictures.")
    return _lmdb_side(input, keys), _lmdb_side(target, keys)


def _keys(path: Path) -> list[bytes]:
    info = path / META_INFO
    if info.is_file():
        # The key is the name up to its first dot, as in BasicSR.
        with open_file(info) as file:
            return [line.split(b".")[0].strip() for line in file if line.strip()]
    with _environment(path) as transaction, transaction.cursor() as cursor:
        return [bytes(key) for key in cursor.iternext(keys=True, values=False)]


def _lmdb_side(path: Path, keys: list[bytes]) -> Packed:
    names = [path / _name(key) for key in keys]
    picture = _file_value if (path / META_INFO).is_file() else _datum_value
    return Packed(names, values=partial(_lmdb_values, path, keys, names, picture))


def _name(key: bytes) -> str:
    return key.decode(errors="replace").replace("/", "_") or "_"


def _lmdb_values(
    path: Path, keys: list[bytes], names: list[Path], picture: Callable[[Path, bytes], Load]
) -> Iterator[Load]:
    """The environment is reopened for each few values: pages read from it count as memory."""
    both = zip(keys, names, strict=True)
    while few := list(islice(both, VALUES_PER_READ)):
        with _environment(path) as transaction:
            values = [(name, transaction.get(key)) for key, name in few]
        for name, value in values:
            if value is None:
                raise JobError(f"{name} is in {META_INFO}, but not in {LMDB_FILE}. Write it again.")
            yield picture(name, value)


def _file_value(name: Path, value: bytes) -> Load:
    return packed_file(name, value)


def _datum_value(name: Path, value: bytes) -> Load:
    picture = datum.decode(value, str(name))
    return packed_file(name, picture) if isinstance(picture, bytes) else partial(_same, picture)


def _same(picture: Picture) -> Picture:
    return picture


class _environment:
    """A read transaction of an LMDB environment. Raises JobError for what LMDB cannot read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()

    def __enter__(self) -> Any:
        if not may_read((self._path / LMDB_FILE).resolve()):
            raise JobError(f"{self._path} leads out of the folders that this server may read.")
        try:
            environment = lmdb.open(str(self._path), readonly=True, lock=False)
            self._stack.enter_context(environment)
            return self._stack.enter_context(environment.begin())
        except lmdb.Error as error:
            self._stack.close()
            raise self._unreadable(error) from error

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._stack.close()
        if isinstance(error, lmdb.Error):
            raise self._unreadable(error) from error

    def _unreadable(self, error: lmdb.Error) -> JobError:
        return JobError(f"{self._path} cannot be read as LMDB: {error}. Copy or write it again.")


class Place(NamedTuple):
    """Where a file is in a shard, in bytes."""

    offset: int
    size: int


class Sample(NamedTuple):
    """The files of a pair in a shard."""

    shard: int
    name: str
    input: Place
    target: Place
    qp_map: Place | None


def tar_pair(shards: list[Path], role_of: RoleOf) -> Pair:
    """The pictures of shards of WebDataset."""
    samples = [
        sample for number, path in enumerate(shards) for sample in _samples(number, path, role_of)
    ]
    if not samples:
        raise JobError(f"{shards[0]} contains no pair. Give shards with 0.input.png, 0.target.png.")
    return _tar_side(shards, samples, "input"), _tar_side(shards, samples, "target")


def _samples(number: int, path: Path, role_of: RoleOf) -> Iterator[Sample]:
    """The pairs of a shard: files with the same name up to its first dot, one after the other."""
    current, files = "", dict[str, Place]()
    for name, place in _members(path):
        folder, _, base = name.rpartition("/")
        key, _, field = base.partition(".")
        key = f"{folder}/{key}" if folder else key
        if key != current:
            yield from _sample(number, path, current, files)
            current, files = key, {}
        role = "qp_map" if field == "qp_map.png" else role_of(field)
        if role:
            _require_small(path / name, place.size)
            if role in files:
                raise JobError(
                    f"{path} has two {role}s of {key}: {name} is the second. Remove one."
                )
            files[role] = place
    yield from _sample(number, path, current, files)


def _sample(number: int, path: Path, key: str, files: dict[str, Place]) -> Iterator[Sample]:
    if not key:
        return
    missing = [role for role in ("input", "target") if role not in files]
    if missing:
        raise JobError(
            f"{path} has no {' and no '.join(missing)} of {key}. Call the files of a pair "
            f"{key}.input.png and {key}.target.png."
        )
    yield Sample(number, key, files["input"], files["target"], files.get("qp_map"))


def _members(path: Path) -> Iterator[tuple[str, Place]]:
    try:
        with open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # It keeps all for later.
                if member.size < 0:  # tarfile would read the same header forever.
                    raise tarfile.ReadError(f"{member.name} has a negative size")
                if member.isreg() and not member.issparse():
                    yield member.name, Place(member.offset_data, member.size)
            file.seek(tar.offset)
            # For tarfile, a damaged header is the end of the archive.
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"the header at byte {tar.offset} is damaged")
    except (tarfile.TarError, ValueError, OverflowError) as error:  # Of malformed PAX fields.
        raise JobError(
            f"{path} cannot be read as a tar archive: {error}. Unpack a compressed archive, or "
            "write it again."
        ) from error


def _tar_side(shards: list[Path], samples: list[Sample], role: str) -> Packed:
    names = [shards[sample.shard] / f"{_name(sample.name.encode())}.{role}" for sample in samples]
    return Packed(names, values=partial(_tar_values, shards, samples, names, role))


def _tar_values(
    shards: list[Path], samples: list[Sample], names: list[Path], role: str
) -> Iterator[Load]:
    number, file = -1, None
    with ExitStack() as stack:
        for sample, name in zip(samples, names, strict=True):
            if sample.shard != number or file is None:
                stack.close()
                number = sample.shard
                file = stack.enter_context(open_file(shards[number]))

            def read(place: Place | None, file: Any = file) -> bytes:
                if place is None:
                    return b""
                file.seek(place.offset)
                data: bytes = file.read(place.size)
                return data

            map = read(sample.qp_map) if role == "input" else b""
            yield packed_file(name, read(getattr(sample, role)), map)


def parquet_pair(files: list[Path], role_of: RoleOf) -> Pair:
    """The pictures of the columns of Parquet files."""
    columns: dict[str, str] = {}
    names: list[Path] = []
    has_maps = True
    for path in files:
        available, rows = parquet.columns_of(path)
        found = _columns(path, available, role_of)
        if columns and found != columns:
            raise JobError(
                f"{path} has other columns of pictures than {files[0]}. Give equal files."
            )
        columns = found
        has_maps = has_maps and "qp_map" in available
        names += [path / f"row {row}" for row in range(rows)]
    if not names:
        raise JobError(f"{files[0]} contains no row. Give files with pairs.")
    input, target = (
        Packed(
            names,
            values=partial(_parquet_values, files, names, columns[role], "qp_map" * is_mapped),
        )
        for role, is_mapped in (("input", has_maps), ("target", False))
    )
    return input, target


def _columns(path: Path, available: list[str], role_of: RoleOf) -> dict[str, str]:
    """The column of each side: one that is named exactly so goes before input_path and others."""
    found = {}
    for role in ("input", "target"):
        named = [name for name in available if role_of(name) == role]
        exact = [name for name in named if name.isalpha()]
        if len(exact or named) != 1:
            what = "several columns" if named else "no column"
            raise JobError(
                f"{path} has {what} for the {role} among {', '.join(available[:20])}. Call the "
                "columns input and target."
            )
        found[role] = (exact or named)[0]
    return found


def _parquet_values(
    files: list[Path], names: list[Path], column: str, map_column: str
) -> Iterator[Load]:
    place = iter(names)
    for path in files:
        values = parquet.values(path, column)
        maps = parquet.values(path, map_column) if map_column else iter(lambda: b"", None)
        for value, map in zip(values, maps, strict=False):
            yield packed_file(next(place), value, map)
