"""What every request must pass, and what every answer carries."""

import re

from flask import Flask, Response, abort, request

HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def guard(app: Flask) -> None:
    """Bind the checks and headers to an application."""
    app.before_request(refuse_strangers)
    app.after_request(add_headers)


def refuse_strangers() -> None:
    """Only this machine's names as host (DNS rebinding), and only our own pages may change anything."""
    if HOST.fullmatch(request.host) is None:
        abort(400, "The server answers under the names of this machine only.")
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != f"{request.scheme}://{request.host}"
    if request.method not in ("GET", "HEAD", "OPTIONS") and (foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"):
        abort(403, "A page of another site may not change anything here.")


def add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
