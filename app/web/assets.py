"""Static files: scripts and styles, which browsers cache for a year by URLs with a hash.

A page names its module and all modules that this one imports, so that a browser fetches them in
parallel instead of one after another: the bundles, or where there are none the modules themselves.
"""

import re
from functools import cache
from typing import Any

from flask import Flask, Response, g, request, url_for
from markupsafe import Markup

from app.web.bundles import bundles, files_of, send_bundle, sources
from jobs.core.paths import STATIC

SCRIPTS = STATIC / "js"
IMPORT = re.compile(r'^import (?:[^"]*? from )?"(\.[^"]+)";', re.MULTILINE)
YEAR = 365 * 24 * 3600


def version() -> str:
    """Part of the URLs of static files: another one as soon as one of them has changed."""
    return sources()[:12]


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


@cache
def files_of_module(entry: str) -> tuple[str, ...]:
    """What a module of static/js consists of, itself first: paths below static/."""
    if not bundles():
        return imported(entry)
    return tuple(f"dist/{file}" for file in files_of(f"js/{entry}"))


def module(entry: str) -> Markup:
    """The HTML tags that load a module and preload its imports, each once a page."""
    script, *others = files_of_module(entry)
    preloaded: set[str] = g.setdefault("preloaded", set())
    links = [
        Markup('<link rel="modulepreload" href="{}">').format(_url(name))
        for name in others
        if name not in preloaded
    ]
    preloaded.update(others)
    return Markup("\n").join(
        [*links, Markup('<script type="module" src="{}"></script>').format(_url(script))]
    )


def stylesheet(name: str) -> Markup:
    """The HTML tag of a stylesheet of static/css."""
    path = f"dist/{files_of(f'css/{name}')[0]}" if bundles() else f"css/{name}"
    return Markup('<link rel="stylesheet" href="{}">').format(_url(path))


def _url(name: str) -> str:
    if name.startswith("dist/"):
        return url_for("bundle", name=name.removeprefix("dist/"))
    return url_for("static", filename=name)


def cache_static(response: Response) -> Response:
    """Let browsers cache static files for a year: a changed file has another URL."""
    if request.endpoint in ("static", "bundle") and response.status_code == 200:
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = YEAR
        response.cache_control.immutable = True
    return response


def init_app(app: Flask) -> None:
    """Provide `module` and `stylesheet` to templates, and the bundles with headers for caches."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["module"] = module
    globals["stylesheet"] = stylesheet
    app.add_url_rule("/static/dist/<path:name>", "bundle", send_bundle)
    app.after_request(cache_static)
