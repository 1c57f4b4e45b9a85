"""Uploads on disk: the bytes received so far, and the path of the complete file.

    uploads/.unfinished/<id>        bytes received so far; their number is the offset, even after
                                    a crash of the server or the client
    uploads/.unfinished/<id>.json   total length, and path below uploads/
    uploads/<id>/<name>             finished file
    uploads/<group>/<folder>/...    finished file of a folder, whose files were sent with one group

The name .unfinished is hidden: it is never listed, and jobs do not read it.
"""

import fcntl
import filecmp
import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from app.files.content import HEAD, Unusable, fitting_name
from jobs.core.durable_files import write_whole

UNFINISHED = ".unfinished"
ID = re.compile(r"[0-9a-f]{32}")
MAX_LEVELS = 16
MAX_NAME_BYTES = 200
MAX_UPLOADS = 20_000
"""Limit on recent uploads, finished or not. A folder of frames is one upload per file."""
KEPT_SECONDS = 4 * 24 * 3600
"""Age at which the record and the bytes of an upload are removed."""


class Busy(Exception):
    """Another request is writing to the upload."""


@dataclass
class Upload:
    """A file that is being uploaded, or was uploaded."""

    root: Path
    id: str
    length: int
    path: str
    """Path of the finished file below `root`."""

    @property
    def unfinished(self) -> Path:
        return self.root / UNFINISHED / self.id

    @property
    def record(self) -> Path:
        return self.root / UNFINISHED / f"{self.id}.json"

    @property
    def target(self) -> Path:
        return self.root / self.path

    @property
    def finished(self) -> bool:
        return self.target.exists() and not self.unfinished.exists()

    @property
    def offset(self) -> int:
        return self.unfinished.stat().st_size if self.unfinished.exists() else self.length


def create(root: Path, length: int, name: str, group: str = "") -> Upload:
    """Start an upload.

    The name may contain folders: files with the same group keep their relative paths.
    """
    id = secrets.token_hex(16)
    parts = safe_parts(name)
    upload = Upload(root, id, length, "/".join((group or id, *(parts if group else parts[-1:]))))
    upload.record.parent.mkdir(exist_ok=True)
    _write(upload)
    upload.unfinished.touch()
    return upload


def find(root: Path, id: str) -> Upload | None:
    """The upload with this id, or None if its bytes no longer exist."""
    if ID.fullmatch(id) is None:
        return None
    try:
        upload = Upload(root, id, **json.loads((root / UNFINISHED / f"{id}.json").read_text()))
    except (FileNotFoundError, ValueError):
        return None
    return upload if upload.unfinished.exists() or upload.target.exists() else None


def _write(upload: Upload) -> None:
    facts = {key: value for key, value in asdict(upload).items() if key in ("length", "path")}
    write_whole(upload.record, json.dumps(facts))


@contextmanager
def opened(upload: Upload) -> Iterator[int]:
    """Open the unfinished file for appending, with an exclusive lock. Raises Busy.

    The kernel releases the lock however the process ends.
    """
    file = os.open(upload.unfinished, os.O_WRONLY | os.O_APPEND)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy from error
        yield file
    finally:
        os.close(file)


def settle(upload: Upload) -> None:
    """Check the content, and move a complete file to its target.

    Raises Unusable after it has removed the upload. Idempotent: after a crash of the server, the
    next request for the upload calls it again.
    """
    if not upload.unfinished.exists() or (upload.offset < min(HEAD, upload.length)):
        return
    with upload.unfinished.open("rb") as file:
        head = file.read(HEAD)
    try:
        path = Path(upload.path)
        upload.path = str(path.with_name(fitting_name(path.name, head)))
        if upload.offset == upload.length:
            _move_to_target(upload)
    except Unusable:
        remove(upload)
        raise


def _move_to_target(upload: Upload) -> None:
    _write(upload)
    try:
        upload.target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Unusable(
            f"The folder of {upload.target.name} has the same name as an uploaded file. "
            "Rename one of them."
        ) from error
    if upload.target.exists():
        # A client sends the same file again if the response was lost.
        if not filecmp.cmp(upload.unfinished, upload.target, shallow=False):
            raise Unusable(
                f"A different file named {upload.target.name} already exists. Rename one of them."
            )
        upload.unfinished.unlink()
    else:
        upload.unfinished.replace(upload.target)


def remove(upload: Upload) -> None:
    """Delete an upload, finished or not, and the folders that are empty afterwards."""
    if not upload.unfinished.exists():
        upload.target.unlink(missing_ok=True)
        for folder in list(upload.target.parents)[: upload.path.count("/")]:
            if not folder.exists() or any(folder.iterdir()):
                break
            folder.rmdir()
    upload.unfinished.unlink(missing_ok=True)
    upload.record.unlink(missing_ok=True)


def remove_old(root: Path, now: float | None = None) -> None:
    """Delete abandoned uploads, which got no data for KEPT_SECONDS. Finished files stay."""
    oldest = (time.time() if now is None else now) - KEPT_SECONDS
    for path in (root / UNFINISHED).glob("*"):
        with suppress(FileNotFoundError):  # A request has just finished or removed the upload.
            if _last_change(path) < oldest:
                path.unlink()


def _last_change(path: Path) -> float:
    """When bytes of the upload of this file, or of its record, were received last."""
    received = path.with_suffix("")
    return (received if received.exists() else path).stat().st_mtime


def has_room(root: Path, length: int) -> bool:
    return shutil.disk_usage(root).free > length


def is_crowded(root: Path) -> bool:
    """Whether the limit on uploads is reached, even without the abandoned ones."""
    if _count(root) < MAX_UPLOADS:
        return False
    remove_old(root)
    return _count(root) >= MAX_UPLOADS


def _count(root: Path) -> int:
    folder = root / UNFINISHED
    return sum(name.endswith(".json") for name in os.listdir(folder)) if folder.exists() else 0


def safe_parts(name: str) -> list[str]:
    """The folders and the file name of a path from a client.

    The result never leads to a parent folder, is never hidden and never too long.
    """
    parts = [_safe(part) for part in re.split(r"[/\\]", unicodedata.normalize("NFC", name))]
    return [part for part in parts if part][-MAX_LEVELS:] or ["file"]


def _safe(part: str) -> str:
    printable = "".join(letter for letter in part if unicodedata.category(letter)[0] != "C")
    name = printable.strip().lstrip(".").strip()
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    match = re.search(r"(\.\w{1,5}){0,2}$", name, re.ASCII)
    extension = match[0] if match else ""
    return name.encode()[: MAX_NAME_BYTES - len(extension)].decode(errors="ignore") + extension
