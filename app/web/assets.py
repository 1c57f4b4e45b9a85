"""What a browser gets beside the pages: scripts and styles, kept by it for good, under an address that changes with them.

The scripts of a page are named in it: the module it asks for and all that this imports, so that a browser fetches them at
once and not one after another.
"""

import re
from functools import cache
from hashlib import sha256
from typing import Any

from flask import Flask, Response, request, url_for
from markupsafe import Markup

from jobs.core.paths import STATIC

SCRIPTS = STATIC / "js"
IMPORT = re.compile(r'^import .*?from "(\.[^"]+)";', re.MULTILINE | re.DOTALL)
YEAR = 365 * 24 * 3600


@cache
def version() -> str:
    """Of all files below static/, as they were when the server was started."""
    whole = sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(STATIC)}\0".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()[:12]


@cache
def imported(entry: str) -> tuple[str, ...]:
    """Paths below static/ of a module of static/js and of all that it imports, however far, each once."""
    found: dict[str, None] = {}
    waiting = [SCRIPTS / entry]
    while waiting:
        path = waiting.pop(0)
        name = path.relative_to(STATIC).as_posix()
        if name in found:
            continue
        found[name] = None
        if path.is_relative_to(SCRIPTS):  # What comes from packages is one file each.
            waiting += [
                (path.parent / relative).resolve()
                for relative in IMPORT.findall(path.read_text(encoding="utf-8"))
            ]
    return tuple(found)


def module(entry: str) -> Markup:
    """The tags that load a module."""
    links = [
        Markup('<link rel="modulepreload" href="{}">').format(_url(name))
        for name in imported(entry)[1:]
    ]
    script = Markup('<script type="module" src="{}"></script>').format(_url(f"js/{entry}"))
    return Markup("\n").join([*links, script])


def _url(name: str) -> str:
    return url_for("static", filename=name)


def keep(response: Response) -> Response:
    if request.endpoint == "static" and response.status_code == 200:
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = YEAR
        response.cache_control.immutable = True
    return response


def offer(app: Flask) -> None:
    """To the templates: `{{ module("pages/model.js") }}`."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["module"] = module
    app.after_request(keep)
