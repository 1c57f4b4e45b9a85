"""The application under a URL path, such as https://clips.example/clearframe/, behind a proxy.

Addresses in API responses and events start at the server's root and do not contain the prefix.
Pages and scripts prepend it (`root()` in templates, static/js/base/address.js).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Provide `root()` to templates, as in `href="{{ root() }}/models/new"`."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["root"] = lambda: request.script_root


def mounted(wsgi: "WSGIApplication", prefix: str) -> "WSGIApplication":
    """The application under `prefix`, which app/settings.py has checked.

    Works with proxies that strip the prefix from the request's path and with those that do not.
    """

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        environ["SCRIPT_NAME"] = prefix
        return wsgi(environ, start_response)

    return application
