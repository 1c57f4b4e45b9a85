"""Uploads on disk: what has arrived of each, and where it goes when it is whole.

    uploads/.unfinished/<id>        the bytes so far: their number is the offset, whoever was killed meanwhile
    uploads/.unfinished/<id>.json   how long it will be, and its path below uploads/
    uploads/<id>/<name>             finished
    uploads/<group>/<folder>/...    finished, a file of a folder whose files were sent with one group

No listing shows .unfinished and no job reads it: its name is hidden.
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
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app.files.content import HEAD, Unusable, fitting_name

UNFINISHED = ".unfinished"
ID = re.compile(r"[0-9a-f]{32}")
MOST_LEVELS = 16
MOST_BYTES_OF_A_NAME = 200
MOST_UPLOADS = 20_000
"""Of the last days, finished or not: a folder of frames is many."""
KEPT_SECONDS = 4 * 24 * 3600


class Busy(Exception):
    """Another request is writing to the upload."""


@dataclass
class Upload:
    """A file that arrives, or has arrived."""

    root: Path
    id: str
    length: int
    path: str
    """Where it goes, below `root`."""

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
    """Begin an upload. The name may have folders in it; files with one group keep their places to each other."""
    id = secrets.token_hex(16)
    parts = safe_parts(name)
    upload = Upload(root, id, length, "/".join((group or id, *(parts if group else parts[-1:]))))
    upload.record.parent.mkdir(exist_ok=True)
    _write(upload)
    upload.unfinished.touch()
    return upload


def find(root: Path, id: str) -> Upload | None:
    """The upload of an id, as long as its bytes are there."""
    if ID.fullmatch(id) is None:
        return None
    try:
        upload = Upload(root, id, **json.loads((root / UNFINISHED / f"{id}.json").read_text()))
    except (FileNotFoundError, ValueError):
        return None
    return upload if upload.unfinished.exists() or upload.target.exists() else None


def _write(upload: Upload) -> None:
    """The record is there whole or not at all."""
    new = upload.record.with_suffix(".new")
    new.write_text(
        json.dumps(
            {key: value for key, value in asdict(upload).items() if key in ("length", "path")}
        )
    )
    new.replace(upload.record)


@contextmanager
def opened(upload: Upload) -> Iterator[int]:
    """The unfinished file to append to, for one at a time. Raises Busy. The lock ends with the process, however that ends."""
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
    """Look at what has arrived, and put a whole file in its place. Raises Unusable, and the upload is gone then.

    May be done again at any time, as a server that was killed in the middle does at its next request."""
    if not upload.unfinished.exists() or (upload.offset < min(HEAD, upload.length)):
        return
    with upload.unfinished.open("rb") as file:
        head = file.read(HEAD)
    try:
        path = Path(upload.path)
        upload.path = str(path.with_name(fitting_name(path.name, head)))
        if upload.offset == upload.length:
            _put_in_place(upload)
    except Unusable:
        remove(upload)
        raise


def _put_in_place(upload: Upload) -> None:
    _write(upload)
    try:
        upload.target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Unusable(
            f"{upload.target.name} is in a folder called like a file beside it. Rename one of them."
        ) from error
    if upload.target.exists():
        # The same file twice is one whose answer got lost: the sender tried again.
        if not filecmp.cmp(upload.unfinished, upload.target, shallow=False):
            raise Unusable(
                f"{upload.target.name} is there twice, with different contents. Rename one of them."
            )
        upload.unfinished.unlink()
    else:
        upload.unfinished.replace(upload.target)


def remove(upload: Upload) -> None:
    """Take away an upload, finished or not, and the folders that are empty then."""
    if not upload.unfinished.exists():
        upload.target.unlink(missing_ok=True)
        for folder in list(upload.target.parents)[: upload.path.count("/")]:
            if not folder.exists() or any(folder.iterdir()):
                break
            folder.rmdir()
    upload.unfinished.unlink(missing_ok=True)
    upload.record.unlink(missing_ok=True)


def remove_old(root: Path, now: float | None = None) -> None:
    """Take away what was begun and left: uploads that nobody has continued for days. Finished files stay."""
    for path in (root / UNFINISHED).glob("*"):
        bytes_so_far = path.with_suffix("")
        touched = (bytes_so_far if bytes_so_far.exists() else path).stat().st_mtime
        if touched < (time.time() if now is None else now) - KEPT_SECONDS:
            path.unlink()


def has_room(root: Path, length: int) -> bool:
    return shutil.disk_usage(root).free > length


def is_crowded(root: Path) -> bool:
    """Whether there are as many uploads as there may be."""
    place = root / UNFINISHED
    return (
        place.exists() and sum(name.endswith(".json") for name in os.listdir(place)) >= MOST_UPLOADS
    )


def safe_parts(name: str) -> list[str]:
    """The folders and the name of a path that somebody sent: never above where it begins, never hidden, never too long."""
    parts = [_safe(part) for part in re.split(r"[/\\]", unicodedata.normalize("NFC", name))]
    return [part for part in parts if part][-MOST_LEVELS:] or ["file"]


def _safe(part: str) -> str:
    plain = (
        "".join(letter for letter in part if unicodedata.category(letter)[0] != "C")
        .strip()
        .lstrip(".")
        .strip()
    )
    if len(plain.encode()) <= MOST_BYTES_OF_A_NAME:
        return plain
    ending = re.search(r"(\.\w{1,5}){0,2}$", plain, re.ASCII)
    kept = ending[0] if ending else ""
    return plain.encode()[: MOST_BYTES_OF_A_NAME - len(kept)].decode(errors="ignore") + kept
