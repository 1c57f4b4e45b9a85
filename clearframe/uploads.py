"""Uploads by the tus protocol 1.0.0: files and folders of any size, continued after a break."""

import base64
import http.client
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from clearframe.connection import ApiError, Connection, Unreachable

CHUNK = 4 * 2**20
"""Bytes of a request; a break costs at most this much."""
TRIES = 8
TUS = {"Tus-Resumable": "1.0.0"}

Progress = Callable[[int, int], None]
"""Called with the bytes that the server has and the bytes of the whole."""


def _unseen(sent: int, total: int) -> None:
    pass


def upload(connection: Connection, path: Path, progress: Progress = _unseen) -> str:
    """Upload a file, or a folder with all files in it; return its path on the server.

    Raises ApiError, Unreachable, OSError.
    """
    if not path.is_dir():
        total = path.stat().st_size
        return _upload_file(connection, path, {"filename": path.name}, progress, 0, total)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise FileNotFoundError(2, "the folder has no files", str(path))
    group, total, done = secrets.token_hex(16), sum(file.stat().st_size for file in files), 0
    place = ""
    for file in files:
        relative = Path(path.resolve().name) / file.relative_to(path)
        names = {"filename": file.name, "relativePath": relative.as_posix(), "group": group}
        stored = _upload_file(connection, file, names, progress, done, total)
        place = place or _folder_of(stored, len(relative.parts) - 1)
        done += file.stat().st_size
    return place


def _folder_of(stored: str, depth: int) -> str:
    """The server's folder of the uploaded folder, from a file `depth` levels inside it."""
    return stored.rsplit("/", depth)[0]


def _upload_file(
    connection: Connection,
    path: Path,
    names: dict[str, str],
    progress: Progress,
    before: int,
    total: int,
) -> str:
    length = path.stat().st_size
    metadata = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in names.items()
    )
    begin = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    location = urlsplit(_send(connection, "/api/v1/uploads", "POST", begin)["Location"]).path
    place = location.removeprefix(urlsplit(connection.server).path)
    offset, failures = 0, 0
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            chunk = file.read(CHUNK)
            headers = {
                **TUS,
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            }
            try:
                answer = _send(connection, place, "PATCH", headers, chunk)
            except (Unreachable, ApiError) as error:
                # A broken connection, or one that the server still holds: it knows the offset.
                failures += 1
                broken = isinstance(error, Unreachable) or error.status in (408, 409, 423, 503)
                if not broken or failures > TRIES:
                    raise
                time.sleep(min(0.1 * 2**failures, 5))
                answer = _send(connection, place, "HEAD", TUS)
            else:
                failures = 0
            offset = int(answer["Upload-Offset"])
            progress(before + offset, total)
            if stored := answer.get("Upload-Path"):
                return unquote(stored)


def _send(
    connection: Connection,
    place: str,
    method: str,
    headers: dict[str, str],
    data: bytes | None = None,
) -> http.client.HTTPMessage:
    request = connection.request(place, data, headers, method)
    with connection.open(request) as response:
        response.read()
        return response.headers
