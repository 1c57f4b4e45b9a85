"""ZIPs that are written while they are sent: memory holds the part that is under way, and the table of contents."""

import io
from collections.abc import Iterator
from typing import Any

import gevent
from flask import Response


class Outbox(io.RawIOBase):
    """What was written and is not sent yet. It cannot seek, and so ZipFile never looks back."""

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


def sent(parts: Iterator[bytes], name: str) -> Response:
    """The answer that a browser stores as `name`.zip."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(_in_turns(parts), mimetype="application/zip", headers=headers)


def _in_turns(parts: Iterator[bytes]) -> Iterator[bytes]:
    """A long download to a fast client would let no other request through. What is packed may leave a part empty."""
    for part in parts:
        gevent.sleep(0)
        if part:
            yield part
