"""A job's folder as a streamed ZIP, also for running jobs and for folders of many gigabytes.

Each file is archived with the size that it has when its turn comes; bytes that a worker appends
later are left out. Files that are removed before their turn are skipped.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.files.zips import Outbox

BLOCK = 256 * 1024

COMPRESSED = frozenset({".json", ".jsonl", ".log", ".txt", ".csv", ".prototxt", ".py"})
"""Extensions of files to compress. Images already are, weights and stores hardly get smaller."""

LOCK = "worker.lock"


def stream(folder: Path, top: str, added: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the parts of the ZIP, some of them empty. All files are in the folder `top`.

    `added` has additional text files by name, which come first.
    """
    outbox = Outbox()
    with ZipFile(outbox, "w", ZIP_DEFLATED) as archive:
        for name, text in added.items():
            archive.writestr(f"{top}/{name}", text)
            yield outbox.take()
        root = folder.resolve()
        for path in _files(root):
            # File names may not be valid UTF-8; zipfile takes only valid text.
            name = os.fsencode(path.relative_to(root)).decode("utf-8", "replace")
            yield from _file_parts(archive, outbox, path, f"{top}/{name}")
    yield outbox.take()


def _files(root: Path) -> Iterator[Path]:
    """All files except the lock, hidden drafts and links to paths outside the folder."""
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            path for path in (Path(parent, name) for name in sorted(names)) if _belongs(path, root)
        )


def _belongs(path: Path, root: Path) -> bool:
    return path.is_file() and _is_included(path, root) and _is_included(path.resolve(), root)


def _is_included(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root):
        return False
    parts = path.relative_to(root).parts
    return parts != (LOCK,) and not any(part.startswith(".") for part in parts)


def _file_parts(archive: ZipFile, outbox: Outbox, path: Path, name: str) -> Iterator[bytes]:
    try:
        info = ZipInfo.from_file(path, name, strict_timestamps=False)
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        left = info.file_size = _end(file, path)
        info.compress_type = ZIP_DEFLATED if path.suffix in COMPRESSED else ZIP_STORED
        file.seek(0)
        with archive.open(info, "w") as entry:
            while block := file.read(min(BLOCK, left)):
                entry.write(block)
                left -= len(block)
                yield outbox.take()
    yield outbox.take()


def _end(file: BinaryIO, path: Path) -> int:
    """The offset at which the file ends now; in an event log, the end of its last full line."""
    end = os.fstat(file.fileno()).st_size
    if path.suffix != ".jsonl":
        return end
    while end > 0:
        start = max(end - BLOCK, 0)
        file.seek(start)
        block = file.read(end - start)
        if b"\n" in block:
            return start + block.rindex(b"\n") + 1
        end = start
    return 0
