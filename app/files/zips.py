"""Streamed ZIP downloads. Memory holds only the current part and the ZIP's central directory."""

import io
from collections.abc import Iterator
from typing import Any

import gevent
from flask import Response


class Outbox(io.RawIOBase):
    """A buffer of bytes to send. It is not seekable, so ZipFile writes forward only."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def zip_response(parts: Iterator[bytes], name: str) -> Response:
    """The response that a browser saves as `name`.zip."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(_cooperative(parts), mimetype="application/zip", headers=headers)


def _cooperative(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield to other greenlets between parts, else a fast client would block all other requests.

    Skips the empty parts that compression may leave.
    """
    for part in parts:
        gevent.sleep(0)
        if part:
            yield part
