"""A Socket.IO client of the live updates, on wsproto, which comes with the server's packages."""

import json
import socket
from collections.abc import Iterator
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Message, Ping, Request, TextMessage

LIMIT = 120.0
"""Seconds that a message may take."""

PREFIX = "/jobs,"
"""The namespace of the live updates, as packets have it."""


class Listener:
    """A connection over WebSocket (Engine.IO 4, Socket.IO 5) that does not reconnect.

    Its methods raise TimeoutError when nothing has come for LIMIT seconds.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._send(Request(f"127.0.0.1:{port}", "/socket.io/?EIO=4&transport=websocket"))
        self._packets = self._received()
        next(packet for packet in self._packets if packet.startswith(f"40{PREFIX}"))

    def watch(self, job: str) -> None:
        """Ask for all events of a job, from the first."""
        self._send_text(f"42{PREFIX}" + json.dumps(["watch", {"job": job, "since": 0}]))

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages about the watched job, until the connection is closed."""
        for packet in self._packets:
            if packet.startswith(f"42{PREFIX}"):
                name, message = json.loads(packet.removeprefix(f"42{PREFIX}"))
                if name == "events":
                    yield message

    def close(self) -> None:
        self._socket.close()

    def _received(self) -> Iterator[str]:
        text = ""
        while data := self._socket.recv(64 * 1024):
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, AcceptConnection):
                    self._send_text(f"40{PREFIX}")
                elif isinstance(event, Ping):
                    self._send(event.response())
                elif isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        packet, text = text, ""
                        if packet == "2":  # Engine.IO's own ping
                            self._send_text("3")
                        yield packet

    def _send_text(self, text: str) -> None:
        self._send(Message(text))

    def _send(self, event: Event) -> None:
        self._socket.sendall(self._protocol.send(event))
