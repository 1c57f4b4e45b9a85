"""Static files: scripts and styles, which browsers cache for a year by URLs with a hash.

A page names its module and all modules that this one imports, so that a browser fetches them in
parallel instead of one after another.
"""

import re
from functools import cache
from hashlib import sha256
from typing import Any

from flask import Flask, Response, request, url_for
from markupsafe import Markup

from jobs.core.paths import STATIC

SCRIPTS = STATIC / "js"
IMPORT = re.compile(r'^import (?:[^"]*? from )?"(\.[^"]+)";', re.MULTILINE)
YEAR = 365 * 24 * 3600


@cache
def version() -> str:
    """Hash of all files below static/, as they were at the first call."""
    digest = sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(STATIC)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def imported(entry: str) -> tuple[str, ...]:
    """Paths below static/ of a module in static/js and of its direct and indirect imports."""
    names: dict[str, None] = {}
    pending = [SCRIPTS / entry]
    while pending:
        path = pending.pop(0)
        name = path.relative_to(STATIC).as_posix()
        if name in names:
            continue
        names[name] = None
        if path.is_relative_to(SCRIPTS):  # Vendored packages are single files without imports.
            pending += [
                (path.parent / relative).resolve()
                for relative in IMPORT.findall(path.read_text(encoding="utf-8"))
            ]
    return tuple(names)


def module(entry: str) -> Markup:
    """The HTML tags that load a module and preload its imports."""
    links = [
        Markup('<link rel="modulepreload" href="{}">').format(_url(name))
        for name in imported(entry)[1:]
    ]
    script = Markup('<script type="module" src="{}"></script>').format(_url(f"js/{entry}"))
    return Markup("\n").join([*links, script])


def _url(name: str) -> str:
    return url_for("static", filename=name)


def cache_static(response: Response) -> Response:
    """Let browsers cache static files for a year: a changed file has another URL."""
    if request.endpoint == "static" and response.status_code == 200:
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = YEAR
        response.cache_control.immutable = True
    return response


def init_app(app: Flask) -> None:
    """Provide `{{ module("pages/model.js") }}` to templates, and cache headers for static files."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["module"] = module
    app.after_request(cache_static)
