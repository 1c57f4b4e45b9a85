"""Live updates: the Socket.IO namespace `/jobs`.

A client emits `watch {"job": id or "*", "since": seq}` and receives `events {"job", "events"}`:
first all events after `since`, then new events, each of them once and in order.
`watch {"job": "*", "shown": [ids]}` sends the states of all jobs, and also progress, curves,
snapshots and hardware of the jobs in `shown`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import request
from flask_socketio import Namespace, emit

from app.answers import EventsMessage
from app.catalog.catalog import Catalog
from app.live.listeners import ALL, NAMESPACE, Listeners

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_SHOWN = 1000
"""Limit on the ids in `shown`."""
JOB_DELETED = "This job was deleted."


def uncompressed(wsgi: "WSGIApplication") -> "WSGIApplication":
    """Disable permessage-deflate (RFC 7692).

    Compressing each small message separately for each client took as much CPU time as all other
    work of the server, and one compression window of memory per client.
    """

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return wsgi(environ, start_response)

    return application


class Jobs(Namespace):  # type: ignore[misc]  # flask-socketio has no types
    """The namespace `/jobs`: handles the messages of clients."""

    def __init__(self, catalog: Catalog, listeners: Listeners) -> None:
        super().__init__(NAMESPACE)
        self._catalog, self._listeners = catalog, listeners

    def on_watch(self, message: Any) -> None:
        job, since = _read_message(message)
        if job == ALL:
            self._listeners.add_to_all(request.sid, _shown(message))  # type: ignore[attr-defined]
        elif self._catalog.get(job) is not None:
            self._listeners.add(request.sid, job, since)  # type: ignore[attr-defined]
        else:
            deleted: EventsMessage = {"job": job, "events": [], "error": JOB_DELETED}
            emit("events", deleted)

    def on_unwatch(self, message: Any) -> None:
        self._listeners.remove(request.sid, _read_message(message)[0])  # type: ignore[attr-defined]

    def on_disconnect(self, reason: Any = None) -> None:
        self._listeners.forget(request.sid)  # type: ignore[attr-defined]


def _read_message(message: Any) -> tuple[str, int]:
    if not isinstance(message, dict) or not isinstance(message.get("job"), str):
        return "", 0
    since = message.get("since")
    return message["job"], since if isinstance(since, int) else 0


def _shown(message: dict[str, Any]) -> frozenset[str]:
    shown = message.get("shown")
    return (
        frozenset(id for id in shown[:MAX_SHOWN] if isinstance(id, str))
        if isinstance(shown, list)
        else frozenset()
    )
