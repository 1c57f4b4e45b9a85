"""A job's whole folder as one ZIP, written while it is sent, be the job at work or gigabytes large.

Each file ends where it ended when its turn came: what a worker adds meanwhile stays out. A file that was removed before its turn
is passed over.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.files.zips import Outbox
from jobs.core.folder import JobFolder

BLOCK = 256 * 1024

TEXTS = frozenset({".json", ".jsonl", ".log", ".txt", ".csv", ".prototxt", ".py"})
"""Endings of what is packed; pictures are packed already, and weights and stores would cost time and win little."""

LOCK = "worker.lock"


def stream(folder: JobFolder, top: str, added: Mapping[str, str]) -> Iterator[bytes]:
    """The parts of the ZIP, some of them empty: all files in the folder `top`, after texts that are added to them, by name."""
    outbox = Outbox()
    with ZipFile(outbox, "w", ZIP_DEFLATED) as archive:
        for name, text in added.items():
            archive.writestr(f"{top}/{name}", text)
            yield outbox.take()
        root = folder.path.resolve()
        for path in _files(root):
            # Names that no text can say are a rare gift of sources from elsewhere; a ZIP takes texts only.
            name = os.fsencode(path.relative_to(root)).decode("utf-8", "replace")
            yield from _packed(archive, outbox, path, f"{top}/{name}")
    yield outbox.take()


def _files(root: Path) -> Iterator[Path]:
    """All but the lock, drafts and links that lead out of the folder."""
    for here, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            path for path in (Path(here, name) for name in sorted(names)) if _belongs(path, root)
        )


def _belongs(path: Path, root: Path) -> bool:
    return path.is_file() and all(_is_shown(one, root) for one in (path, path.resolve()))


def _is_shown(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root):
        return False
    parts = path.relative_to(root).parts
    return parts != (LOCK,) and not any(part.startswith(".") for part in parts)


def _packed(archive: ZipFile, outbox: Outbox, path: Path, name: str) -> Iterator[bytes]:
    """The parts of a file."""
    try:
        info = ZipInfo.from_file(path, name, strict_timestamps=False)
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        left = info.file_size = _end(file, path)
        info.compress_type = ZIP_DEFLATED if path.suffix in TEXTS else ZIP_STORED
        file.seek(0)
        with archive.open(info, "w") as entry:
            while block := file.read(min(BLOCK, left)):
                entry.write(block)
                left -= len(block)
                yield outbox.take()
    yield outbox.take()


def _end(file: BinaryIO, path: Path) -> int:
    """Where the file ends now; an event log ends with its last whole line."""
    end = os.fstat(file.fileno()).st_size
    if path.suffix != ".jsonl":
        return end
    while end > 0:
        begin = max(end - BLOCK, 0)
        file.seek(begin)
        block = file.read(end - begin)
        if b"\n" in block:
            return begin + block.rindex(b"\n") + 1
        end = begin
    return 0
