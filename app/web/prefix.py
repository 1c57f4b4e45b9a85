"""The server below a path of its own, such as https://clips.example/clearframe/, where a proxy gives it no host of its own.

What the API and the events call an address begins at the server's root, whatever the prefix; pages and scripts put it before
(`root()` in templates, static/js/base/address.js).
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


def offer(app: Flask) -> None:
    """Let templates write `href="{{ root() }}/models/new"`."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["root"] = lambda: request.script_root


def below(wsgi: "WSGIApplication", prefix: str) -> "WSGIApplication":
    """The application below `prefix`, of the form of PREFIX, whether the proxy takes it from the path of what it asks or not."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        environ["SCRIPT_NAME"] = prefix
        return wsgi(environ, start_response)

    return application
