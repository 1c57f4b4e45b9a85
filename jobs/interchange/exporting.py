"""Export of a dataset: a folder in the format of another program.

Pictures are PNG files everywhere. Programs that read a format alone need nothing of Clearframe.
"""

import csv
import json
import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from jobs.core.durable_files import sync
from jobs.core.errors import JobError, disk_full, is_disk_full
from jobs.core.types.load import Progress
from jobs.interchange import datum
from jobs.interchange.lmdb_writer import LmdbWriter
from jobs.interchange.new_folder import new_folder
from jobs.interchange.pairs import FACTS, ExportedPair, Pairs
from jobs.interchange.parquet import ParquetWriter
from jobs.specs.export import DatasetFormat as Format

SHARD_BYTES = 500 * 10**6
"""A shard of WebDataset ends with the pair that exceeds this."""
ROLES = ("input", "target")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PNG_LEVEL = 1
"""The compression level that meta_info.txt names."""


class Writer(Protocol):
    """Writes pairs, split by split, into a folder."""

    def add(self, pair: ExportedPair) -> None: ...

    def finish(self) -> None: ...


def export(
    pairs: Pairs, target: Path, format: Format, name: str, show: Callable[[Progress], None]
) -> None:
    """Write the pairs into a new folder, which appears when it is complete.

    `name`: of the dataset. Raises JobError, and OSError for other errors than a full disk.
    """
    began = time.monotonic()
    try:
        with new_folder(target) as draft, ExitStack() as files:
            writer = WRITERS[format](draft, name, files)
            for done, pair in enumerate(pairs.pairs, 1):
                writer.add(pair)
                show(_progress(done, pairs.total, time.monotonic() - began))
            writer.finish()
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise JobError(disk_full("export again", "nothing of the export was kept")) from error


def _progress(done: int, total: int, seconds: float) -> Progress:
    rate = done / max(seconds, 1e-9)
    eta = (total - done) / rate
    return {"done": done, "total": total, "unit": "pairs", "rate": rate, "eta": eta}


class PngFolders:
    """train/input/000000.png, train/target/000000.png and so on; pairs.csv has the facts."""

    def __init__(self, folder: Path, name: str, files: ExitStack) -> None:
        self._folder = folder
        self._file = files.enter_context(
            (folder / "pairs.csv").open("w", newline="", encoding="utf-8")
        )
        self._table = csv.writer(self._file, lineterminator="\n")
        self._table.writerow(["split", "number", *FACTS, *ROLES])

    def add(self, pair: ExportedPair) -> None:
        paths = [f"{pair.split}/{role}/{pair.name}.png" for role in ROLES]
        values = dict(zip(paths, (pair.input, pair.target), strict=True))
        if pair.qp_map:
            values[f"{pair.split}/qp_map/{pair.name}.png"] = pair.qp_map
        for path, data in values.items():
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_bytes(data)
        # A spreadsheet would compute a text that begins like a formula.
        facts = (
            f"'{fact}" if isinstance(fact, str) and fact.startswith(FORMULA) else fact
            for fact in pair.facts.values()
        )
        self._table.writerow([pair.split, pair.number, *facts, *paths])

    def finish(self) -> None:
        self._file.close()
        sync(self._folder / "pairs.csv")


class BasicSr:
    """train/lq.lmdb and train/gt.lmdb with meta_info.txt, for BasicSR's PairedImageDataset."""

    def __init__(self, folder: Path, name: str, files: ExitStack) -> None:
        self._folder, self._files = folder, files
        self._writers: dict[Path, tuple[LmdbWriter, TextIO]] = {}

    def add(self, pair: ExportedPair) -> None:
        height, width, channels = (pair.facts[key] for key in ("height", "width", "channels"))
        for name, data in (("lq.lmdb", pair.input), ("gt.lmdb", pair.target)):
            values, lines = self._writer(self._folder / pair.split / name)
            key = f"{pair.number:09d}"  # LMDB sorts keys as bytes.
            values.add(key.encode(), data)
            lines.write(f"{key}.png ({height},{width},{channels}) {PNG_LEVEL}\n")

    def _writer(self, path: Path) -> tuple[LmdbWriter, TextIO]:
        if path not in self._writers:
            values = LmdbWriter(path)
            lines = self._files.enter_context((path / "meta_info.txt").open("w", encoding="ascii"))
            self._writers[path] = values, lines
        return self._writers[path]

    def finish(self) -> None:
        for path, (values, lines) in self._writers.items():
            values.finish()
            lines.close()
            sync(path / "meta_info.txt")


class Caffe:
    """train_db/features and train_db/labels: LMDB of Datums, as DIGITS writes and reads them."""

    def __init__(self, folder: Path, name: str, files: ExitStack) -> None:
        self._folder = folder
        self._writers: dict[Path, LmdbWriter] = {}

    def add(self, pair: ExportedPair) -> None:
        channels, height, width = (pair.facts[key] for key in ("channels", "height", "width"))
        for name, data in (("features", pair.input), ("labels", pair.target)):
            path = self._folder / f"{pair.split}_db" / name
            if path not in self._writers:
                self._writers[path] = LmdbWriter(path)
            value = datum.encode(data, channels, height, width)
            self._writers[path].add(b"%09d" % pair.number, value)

    def finish(self) -> None:
        for writer in self._writers.values():
            writer.finish()


class WebDataset:
    """train-000000.tar and so on, with 000000.input.png, 000000.target.png and 000000.json."""

    def __init__(self, folder: Path, name: str, files: ExitStack) -> None:
        self._folder, self._files = folder, files
        self._split, self._shard, self._bytes = "", 0, 0
        self._file: BinaryIO | None = None

    def add(self, pair: ExportedPair) -> None:
        if self._file is None or pair.split != self._split or self._bytes >= SHARD_BYTES:
            self.finish()
            self._shard = self._shard + 1 if pair.split == self._split else 0
            self._split, self._bytes = pair.split, 0
            path = self._folder / f"{pair.split}-{self._shard:06d}.tar"
            self._file = self._files.enter_context(path.open("wb"))
        facts = json.dumps({"split": pair.split, "number": pair.number, **pair.facts})
        for ending, data in (
            ("input.png", pair.input),
            ("target.png", pair.target),
            ("qp_map.png", pair.qp_map),
            ("json", facts.encode()),
        ):
            if data:
                part = member(f"{pair.name}.{ending}", data)
                self._file.write(part)
                self._bytes += len(part)

    def finish(self) -> None:
        if self._file is not None:
            self._file.write(bytes(2 * tarfile.BLOCKSIZE))  # The end of an archive.
            self._file.close()
            sync(Path(self._file.name))


def member(name: str, data: bytes) -> bytes:
    """A file in a tar archive: its header, its data, and zeros to the end of the block."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


WRITERS: dict[Format, Callable[[Path, str, ExitStack], Writer]] = {
    "png": PngFolders,
    "basicsr": BasicSr,
    "caffe": Caffe,
    "webdataset": WebDataset,
    "parquet": ParquetWriter,
}
