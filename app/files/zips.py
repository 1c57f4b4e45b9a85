"""Streamed ZIP downloads. Memory holds only the current part and the ZIP's central directory."""

import io
from collections.abc import Iterator
from typing import Any

from flask import Response

from app.files.streaming import streamed


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
    return streamed(parts, "application/zip", f"{name}.zip")
