"""Serves the application until it is told to stop; what is being answered then is answered."""

import signal
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE = 10.0
"""Seconds that answers under way may take at the end."""


def serve(wsgi: "WSGIApplication", host: str, port: int) -> None:
    """Until SIGTERM or SIGINT. Raises OSError where the address cannot be used."""
    requests, told = _Requests(wsgi), Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(one, told.set)
    server = WSGIServer((host, port), requests, log=None)
    server.start()
    # Header and body are two packets: with Nagle's algorithm the second waits 40 ms for word that the first has come.
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    told.wait()
    server.close()
    requests.wait(PATIENCE)


class _Requests:
    """Counts what is being answered. Live updates do not count: they never end by themselves."""

    def __init__(self, wsgi: "WSGIApplication") -> None:
        self._wsgi, self._number, self._none = wsgi, 0, Event()
        self._none.set()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if "/socket.io/" in environ["PATH_INFO"]:
            return self._wsgi(environ, start_response)
        self._number += 1
        self._none.clear()
        try:
            answer = self._wsgi(environ, start_response)
        except BaseException:
            self._end()
            raise
        return ClosingIterator(answer, self._end)

    def _end(self) -> None:
        self._number -= 1
        if not self._number:
            self._none.set()

    def wait(self, seconds: float) -> None:
        self._none.wait(seconds)
