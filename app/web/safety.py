"""CSRF, origin and NUL checks for requests; security headers for responses."""

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, g, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from markupsafe import Markup
from werkzeug.datastructures import ImmutableMultiDict

FIELD = "csrf_token"
MAX_UPLOAD = 256 * 2**20
"""Bytes of a form with files. The larger uploads of app/api/tus.py set their own limit."""
MAX_BODY = 2 * 2**20
"""Bytes of any other body: more than the longest network definition or list of paths needs."""
MAX_FIELDS = 1000
STALE_FORM = (
    "The form does not belong to this browser's session, or the cookies were deleted. "
    "Reload the page and send the form again."
)
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    # Other sites must not learn from their pages which pictures exist here.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Register the checks and headers.

    The secret key is in the home, so that forms opened before a restart of the server stay valid.
    """
    home: Path = app.extensions["settings"].home
    app.secret_key = _secret(home / "server.key")
    # Browsers share cookies between the ports of a machine: each home needs its own cookie name.
    home_hash = sha256(str(home).encode()).hexdigest()[:12]
    app.config.update(SESSION_COOKIE_NAME=f"clearframe-{home_hash}", SESSION_COOKIE_SAMESITE="Lax")
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_FIELD_NAME=FIELD
    )
    protection = CSRFProtect(app)

    def check_form() -> None:
        """Check the CSRF token of a form and remove it from the fields.

        The API needs none: forms of other sites cannot send JSON.
        """
        if not request.path.startswith("/api/") and app.config["WTF_CSRF_ENABLED"]:
            try:
                protection.protect()
            except CSRFError:
                abort(403, STALE_FORM)
            request.form = ImmutableMultiDict(
                (name, value) for name, value in request.form.items(multi=True) if name != FIELD
            )

    app.before_request(refuse_cross_site)
    app.before_request(refuse_nul)
    app.before_request(limit_body)
    app.before_request(check_form)
    app.after_request(add_headers)
    globals: dict[str, Any] = app.jinja_env.globals
    globals["style_nonce"] = style_nonce
    globals["csrf"] = lambda: Markup('<input type="hidden" name="{}" value="{}">').format(
        FIELD, globals["csrf_token"]()
    )


def _secret(path: Path) -> bytes:
    """The secret key, created at the first start and readable for the server's user only."""
    if not path.exists():
        draft = path.with_suffix(".draft")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        draft.replace(path)
    return path.read_bytes()


def refuse_cross_site() -> None:
    """Refuse changes that pages of other sites request."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != f"{request.scheme}://{request.host}"
    if request.method not in ("GET", "HEAD", "OPTIONS") and (
        foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"
    ):
        abort(
            403, "Another site sent this request. Use the pages of this server to change anything."
        )


def refuse_nul() -> None:
    """Refuse NUL in addresses: no valid value has it, and later code may cut the value there."""
    if any(
        "\0" in text
        for text in (
            request.path,
            *(text for pair in request.args.items(multi=True) for text in pair),
        )
    ):
        abort(400, "The address contains a NUL character. Remove it.")


def limit_body() -> None:
    """Limit a body before it is parsed: its size, and the number of fields of a form."""
    if request.mimetype == "multipart/form-data":  # Of these, werkzeug limits the fields.
        request.max_content_length = MAX_UPLOAD
        return
    request.max_content_length = MAX_BODY
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if is_form and request.get_data().count(b"&") >= MAX_FIELDS:
        abort(413, f"The form has more than {MAX_FIELDS} fields. Send fewer.")


def style_nonce() -> str:
    """The nonce of this response for style elements: the code editor makes its own."""
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
        allow("style-src", f"'nonce-{g.style_nonce}'")
    return str(g.style_nonce)


def allow(directive: str, source: str) -> None:
    """Allow one more source of a directive in the policy of this response only."""
    g.setdefault("allowed", {})[directive] = source


def add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    policy = HEADERS["Content-Security-Policy"]
    for directive, source in g.get("allowed", {}).items():
        own = f"{directive} 'self'"
        policy = policy if own in policy else f"{policy}; {own}"
        policy = policy.replace(own, f"{own} {source}")
    response.headers["Content-Security-Policy"] = policy
    return response
