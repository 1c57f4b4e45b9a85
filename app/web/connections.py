"""Limits on connections: how many there are, in all and of one address, and how long one may wait.

A client needs no token to open connections and to send half of a request. A connection that waits
for its client, to send or to read, gives way to a new one; one whose answer is being computed
never does. Live updates use their socket directly: their connections never count as waiting.
"""

import errno
import resource
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any

import gevent
from gevent.pywsgi import WSGIHandler, WSGIServer

from app.client import HAS_LEFT

HEADER_SECONDS = 20.0
"""Time for a request's line and headers, from the end of the previous request on."""
SILENCE = 60.0
BYTES_PER_SECOND = 16 * 1024
"""To read or write n bytes may take SILENCE and n / BYTES_PER_SECOND seconds."""
MOST = 4096
BACKLOG = 1024
"""Connections that the kernel keeps until the loop accepts them. A client beyond them waits 1 s."""
BUSY = (
    b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain\r\n\r\n"
    b"The server has too many connections. Close some, then retry.\n"
)
"""The answer to a connection without room."""


class TooSlow(OSError, ValueError):
    """A client neither sent what it began to send nor read its answer in time.

    The HTTP server expects one of the two types.
    """


@dataclass(eq=False)
class Connection:
    """An open connection; `waits_since` is None while its answer is being computed."""

    socket: socket.socket
    address: str
    waits_since: float | None = field(default_factory=time.monotonic)

    def has_left(self) -> bool:
        """Whether the client has closed the connection, or ended what it sends."""
        raw: Any = self.socket
        try:
            return not raw._sock.recv(1, socket.MSG_PEEK)  # gevent's own recv would wait.
        except BlockingIOError:
            return False
        except OSError:
            return True

    @contextmanager
    def waiting(self, size: int, slow: TooSlow) -> Iterator[None]:
        """Mark the connection as waiting for its client; raise `slow` after the time for `size`."""
        self.waits_since = time.monotonic()
        seconds = SILENCE + max(size, 0) / BYTES_PER_SECOND
        try:
            with gevent.Timeout(seconds, slow):
                yield
        finally:
            self.waits_since = None


class Connections:
    """The open connections: at most `most` in all, and `an_address` of one address."""

    def __init__(self, most: int, an_address: int) -> None:
        self._most, self._an_address = most, an_address
        self._open: set[Connection] = set()

    @contextmanager
    def admitted(self, connection: Connection) -> Iterator[bool]:
        """Whether there is room for a connection, or could be made."""
        of_address = [other for other in self._open if other.address == connection.address]
        is_admitted = self._has_room(of_address, self._an_address) and self._has_room(
            self._open, self._most
        )
        if is_admitted:
            self._open.add(connection)
        try:
            yield is_admitted
        finally:
            self._open.discard(connection)

    def _has_room(self, group: Collection[Connection], most: int) -> bool:
        """Close the connection that waits longest if the group is full; False if none waits."""
        if len(self._open.intersection(group)) < most:
            return True
        waiting = [other for other in group if other.waits_since is not None]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda other: other.waits_since or 0.0)
        self._open.discard(oldest)
        with suppress(OSError):  # The client has closed it already.
            oldest.socket.shutdown(socket.SHUT_RDWR)
        return True


def limited(is_proxied: bool) -> Connections:
    """The limits of this process. They leave half of its descriptors to jobs and files.

    All connections through a proxy have the proxy's address.
    """
    most = min(_descriptors() // 2, MOST)
    return Connections(most, most if is_proxied else most // 2)


def _descriptors() -> int:
    """Raise the limit of descriptors to 2 * MOST, or as far as is allowed; return at most 2 * MOST.

    Jobs inherit it. It stays finite: some programs close each descriptor that they may have.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2 * MOST
    if soft == resource.RLIM_INFINITY:
        return most
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if wanted > soft:
        with suppress(ValueError, OSError):  # macOS has a limit of its own.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return min(soft, most)


class _Reader:
    """What a client sends, read with a time limit."""

    def __init__(self, file: BufferedReader, connection: Connection) -> None:
        self._file, self._connection = file, connection
        self.raw = file.raw  # The live updates take their socket from it.

    @property
    def closed(self) -> bool:
        return self._file.closed

    def read(self, size: int = -1) -> bytes:
        with self._connection.waiting(size, TooSlow("The client sends too slowly")):
            return self._file.read(size)

    def readline(self, size: int = -1) -> bytes:
        with self._connection.waiting(0, TooSlow("The client sends too slowly")):
            return self._file.readline(size)


class _Writer:
    """The socket of a connection, for the HTTP server; what it sends has a time limit."""

    def __init__(self, connection: Connection) -> None:
        raw: Any = connection.socket
        self._connection, self._sock, self.close = connection, raw._sock, raw.close

    def sendall(self, data: bytes) -> None:
        # The HTTP server treats EPIPE as a client that has gone, and sends no error after it.
        slow = TooSlow(errno.EPIPE, "The client reads too slowly")
        with self._connection.waiting(len(data), slow):
            self._connection.socket.sendall(data)


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types
    """Handles the requests of a connection; the headers of each have a time limit."""

    def __init__(self, connection: Connection, address: Any, server: "Server") -> None:
        reader = _Reader(connection.socket.makefile("rb"), connection)
        super().__init__(_Writer(connection), address, server, reader)
        self._header_limit: gevent.Timeout | None = None
        self._connection = connection

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), HAS_LEFT: self._connection.has_left}

    def read_requestline(self) -> str:
        self._header_limit = gevent.Timeout.start_new(HEADER_SECONDS, TooSlow("Slow headers"))
        line: str = super().read_requestline()
        return line

    def read_request(self, line: str) -> bool:
        is_valid: bool = super().read_request(line)
        self.end_header_limit()
        return is_valid

    def end_header_limit(self) -> None:
        if self._header_limit is not None:
            self._header_limit.close()


def _refuse(client: socket.socket) -> None:
    client.setblocking(False)
    with suppress(OSError):  # Of a client that has sent nothing yet, or has gone.
        client.recv(16 * 1024)  # If it were left unread, the kernel would discard the answer.
    with suppress(OSError):
        client.send(BUSY)


class Server(WSGIServer):  # type: ignore[misc]  # gevent has no types
    """An HTTP server with limited connections."""

    def __init__(self, address: tuple[str, int], application: Any, connections: Connections):
        super().__init__(address, application, backlog=BACKLOG, log=None)
        self._connections = connections

    def handle(self, client: socket.socket, address: Any) -> None:
        connection = Connection(client, str(address[0]))
        with self._connections.admitted(connection) as is_admitted:
            if not is_admitted:
                _refuse(client)
                return
            handler = Handler(connection, address, self)
            try:
                handler.handle()
            finally:
                handler.end_header_limit()
