"""The HTTP server, with a graceful shutdown that completes the requests in progress."""

import signal
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event
from werkzeug.wsgi import ClosingIterator

from app.web.connections import Server, limited

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHUTDOWN_TIMEOUT = 10.0
"""Seconds that requests in progress may take after a signal to stop."""


def serve(wsgi: "WSGIApplication", host: str, port: int, is_proxied: bool = False) -> None:
    """Serve the application until SIGTERM or SIGINT. Raises OSError if the address is in use."""
    requests, stop = _Requests(wsgi), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    server = Server((host, port), requests, limited(is_proxied))
    server.start()
    # Header and body are two packets. With Nagle's algorithm, the second would wait 40 ms for the
    # acknowledgement of the first.
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stop.wait()
    server.close()
    requests.wait(SHUTDOWN_TIMEOUT)


class _Requests:
    """Counts the requests in progress, without live updates, which never end by themselves."""

    def __init__(self, wsgi: "WSGIApplication") -> None:
        self._wsgi, self._in_progress, self._idle = wsgi, 0, Event()
        self._idle.set()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if "/socket.io/" in environ["PATH_INFO"]:
            return self._wsgi(environ, start_response)
        self._in_progress += 1
        self._idle.clear()
        try:
            response = self._wsgi(environ, start_response)
        except BaseException:
            self._end()
            raise
        return ClosingIterator(response, self._end)

    def _end(self) -> None:
        self._in_progress -= 1
        if not self._in_progress:
            self._idle.set()

    def wait(self, seconds: float) -> None:
        self._idle.wait(seconds)
