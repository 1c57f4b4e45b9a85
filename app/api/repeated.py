"""Idempotency-Key: a request to create or change a job that is sent twice is carried out once.

The answer to the first is kept for a day, and is the answer to the others. Refusals are not kept:
they have changed nothing, so the same request may succeed later.
"""

import re
import time
from hashlib import sha256

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy import delete

from app.api.replies import error
from app.catalog.database import AnswerRow, Sessions
from app.current import user

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_SECONDS = 24 * 3600
KEPT = frozenset({201, 202})
"""Statuses of answers to requests that have created or changed something."""
KEY = re.compile("[!-~]{1,255}")
"""Printable characters of ASCII: clients and proxies may change others in headers."""
UPLOADS = "/api/v1/uploads"
"""Uploads continue at their offsets, so they need no keys."""


def init_app(app: Flask) -> None:
    running: set[str] = set()

    def begin() -> ResponseReturnValue | None:
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST" or not _takes_keys(request.path):
            return None
        if not KEY.fullmatch(key):
            return error(
                400,
                f"The header {HEADER} needs 1 to 255 printable ASCII characters, no spaces.",
            )
        key = f"{user().name}\n{key}"  # Users do not see the answers of others.
        sent = _fingerprint()
        with Sessions() as session:
            kept = session.get(AnswerRow, key)
        if kept is not None and time.time() - kept.created < KEPT_SECONDS:
            return _replayed(kept, sent)
        if key in running:
            return error(409, f"The first request with this {HEADER} still runs. Try again later.")
        running.add(key)
        g.repeatable = key, sent
        return None

    def keep(response: Response) -> Response:
        if "repeatable" in g and response.status_code in KEPT:
            key, sent = g.repeatable
            _keep(key, sent, response)
        return response

    def end(_: BaseException | None) -> None:
        if "repeatable" in g:
            running.discard(g.repeatable[0])

    app.before_request(begin)
    app.after_request(keep)
    app.teardown_request(end)


def _takes_keys(path: str) -> bool:
    return path.startswith("/api/") and not path.startswith(UPLOADS)


def _fingerprint() -> str:
    """A hash of what the request asks for."""
    asked = f"{request.method} {request.full_path}\n".encode()
    return sha256(asked + request.get_data()).hexdigest()


def _replayed(kept: AnswerRow, sent: str) -> ResponseReturnValue:
    if kept.request != sent:
        return error(422, f"Another request had this {HEADER}. Use a new key for a new request.")
    return Response(kept.body, kept.status, {REPLAYED: "true"}, mimetype="application/json")


def _keep(key: str, sent: str, response: Response) -> None:
    now = time.time()
    with Sessions.begin() as session:
        session.execute(delete(AnswerRow).where(AnswerRow.created < now - KEPT_SECONDS))
        session.merge(
            AnswerRow(
                key=key,
                request=sent,
                created=now,
                status=response.status_code,
                body=response.get_data(as_text=True),
            )
        )
