"""Server-sent events: the events of a job as they come, for clients without Socket.IO.

A stream lasts a while and then ends; clients connect again with Last-Event-ID and miss nothing.
That bounds the greenlets that wait for clients, whatever they do.
"""

import json
import time
from collections.abc import Iterator

import gevent
from flask import Response, abort, request
from gevent.lock import BoundedSemaphore

from app.api.routes import EVENT_STREAM
from app.turns import in_turns
from jobs.core.events import FINAL_STATES, in_parts, last_state
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent

STREAMS = BoundedSemaphore(100)
"""The streams at a time."""
SECONDS = 120.0
"""How long a stream lasts."""
INTERVAL = 0.25
"""Seconds between two looks at the log."""
QUIET_SECONDS = 15.0
"""Seconds without an event after which a comment is sent, so that a lost client is noticed."""
RETRY_MS = 1000


def wants_stream() -> bool:
    """Whether the request asks for server-sent events in place of JSON."""
    return request.accept_mimetypes.best == EVENT_STREAM


def stream(folder: JobFolder, since: int, types: frozenset[str]) -> Response:
    """The events after `since`, or after the event in Last-Event-ID.

    204 without a body if the job has ended and has no more: a browser then stops asking.
    """
    last = request.headers.get("Last-Event-ID", "")
    if last and not last.isdecimal():
        abort(400, "The header Last-Event-ID must be the id of an event: a number.")
    since = int(last[:15] or since)
    if last and _has_ended(folder) and not any(in_parts(folder.events, since)):
        return Response(status=204)
    if not STREAMS.acquire(blocking=False):
        abort(503, "Too many event streams are open. Close one, or try again later.")
    # Not `streamed`: it joins small parts, and an event would wait for those after it.
    parts = (text.encode() for text in _events(folder, since, types))
    response = Response(in_turns(parts), mimetype=EVENT_STREAM)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would join them as well.
    response.call_on_close(STREAMS.release)
    return response


def _has_ended(folder: JobFolder) -> bool:
    state = last_state(folder.events)
    return state is not None and state["state"] in FINAL_STATES


def _events(folder: JobFolder, seq: int, types: frozenset[str]) -> Iterator[str]:
    """The stream in parts, each sent at once. It ends with the job, or after SECONDS."""
    began = quiet_since = time.monotonic()
    yield f"retry: {RETRY_MS}\n\n"
    while time.monotonic() - began < SECONDS:
        size = folder.size()
        for part in in_parts(folder.events, seq):
            seq = part[-1]["seq"] if part else seq
            if texts := [_text(event) for event in part if not types or event["type"] in types]:
                yield "".join(texts)
                quiet_since = time.monotonic()
        if _has_ended(folder):
            return
        while folder.size() == size and time.monotonic() - began < SECONDS:
            gevent.sleep(INTERVAL)
            if time.monotonic() - quiet_since > QUIET_SECONDS:
                yield ":\n\n"
                quiet_since = time.monotonic()


def _text(event: JobEvent) -> str:
    return f"id: {event['seq']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n"
