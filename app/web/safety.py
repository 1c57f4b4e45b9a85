"""What every request must pass that app/web/access.py lets through, and what every answer carries."""

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from markupsafe import Markup
from werkzeug.datastructures import ImmutableMultiDict

FIELD = "csrf_token"
STALE = "This server did not give this form to this browser, or its cookies were deleted since. Reload the page, and send it again."
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def guard(app: Flask, home: Path) -> None:
    """Bind the checks and headers to an application. Its secret stands in the home: a form that was open before a new start of
    the server can be sent after it."""
    app.secret_key = _secret(home / "server.key")
    mark = sha256(str(home).encode()).hexdigest()[
        :12
    ]  # Browsers do not tell the ports of a machine apart.
    app.config.update(SESSION_COOKIE_NAME=f"clearframe-{mark}", SESSION_COOKIE_SAMESITE="Lax")
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_FIELD_NAME=FIELD
    )
    protection = CSRFProtect(app)

    def check_form() -> None:
        """JSON cannot come from a form of another site, and is asked for its origin alone."""
        if not request.path.startswith("/api/") and app.config["WTF_CSRF_ENABLED"]:
            try:
                protection.protect()
            except CSRFError:
                abort(403, STALE)
            request.form = ImmutableMultiDict(
                (name, value) for name, value in request.form.items(multi=True) if name != FIELD
            )

    app.before_request(refuse_strangers)
    app.before_request(refuse_nul)
    app.before_request(check_form)
    app.after_request(add_headers)
    globals: dict[str, Any] = app.jinja_env.globals
    globals["csrf"] = lambda: Markup('<input type="hidden" name="{}" value="{}">').format(
        FIELD, globals["csrf_token"]()
    )


def _secret(path: Path) -> bytes:
    """Made once, for the server's own user to read."""
    if not path.exists():
        draft = path.with_suffix(".draft")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        draft.replace(path)
    return path.read_bytes()


def refuse_strangers() -> None:
    """Only our own pages may change anything."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != f"{request.scheme}://{request.host}"
    if request.method not in ("GET", "HEAD", "OPTIONS") and (
        foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"
    ):
        abort(403, "A page of another site may not change anything here.")


def refuse_nul() -> None:
    """No name, path or text has it; what is behind it would be cut off, or refused, somewhere further in."""
    if any(
        "\0" in text
        for text in (
            request.path,
            *(text for pair in request.args.items(multi=True) for text in pair),
        )
    ):
        abort(400, "There is a NUL character in the address.")


def add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
