"""A client of the live updates that receives messages in their order.

python-socketio's client starts a thread for each message; on a busy machine they run in another
order. Its reconnect also ends for ever when a connection is lost while it is being made.
"""

import json
import socket
import time
from types import TracebackType
from typing import Any, Self

import websocket

from tests.support.waiting import LIMIT

MESSAGE, PING, PONG = "42/jobs,", "2", "3"
"""Of Engine.IO 4 with Socket.IO 5: https://socket.io/docs/v4/socket-io-protocol/"""


class LiveClient:
    """A connection to the namespace `/jobs` of a server, for example "http://127.0.0.1:5000".

    Its methods raise LOST when the connection cannot be made or is lost.
    """

    LOST = (OSError, websocket.WebSocketException)

    def __init__(self, server: str, **options: Any) -> None:
        url = f"{server.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
        self._socket = websocket.create_connection(url, timeout=LIMIT, **options)
        try:
            self._expect("0{")
            self._socket.send("40/jobs,")
            self._expect("40/jobs,{")
        except BaseException:
            self._socket.shutdown()
            raise

    def watch(self, job: str, since: int = 0) -> None:
        self._socket.send(f"{MESSAGE}{json.dumps(['watch', {'job': job, 'since': since}])}")

    def receive(self) -> dict[str, Any]:
        """The next message `events`."""
        began = time.monotonic()
        while (text := self._text()) == PING:
            assert time.monotonic() - began < LIMIT, "no message about a job has come"
            self._socket.send(PONG)
        name, message = json.loads(text.removeprefix(MESSAGE))
        assert name == "events"
        return dict(message)

    def cut(self) -> None:
        """Lose the connection, without a word to the server. Any thread may do it."""
        sock = self._socket.sock
        if sock is not None:  # None after an end that the server began.
            sock.shutdown(socket.SHUT_RDWR)

    def _expect(self, start: str) -> None:
        text = self._text()
        assert text.startswith(start), text

    def _text(self) -> str:
        text = self._socket.recv()
        if not text:
            raise ConnectionError("The server closed the connection.")
        return str(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown()
