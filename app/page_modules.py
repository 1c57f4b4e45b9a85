"""The scripts of a page: the module it names and all that this imports, so that a browser fetches them at once and not one
after another."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, url_for
from markupsafe import Markup

SCRIPTS = Path(__file__).parent.parent / "static" / "js"
IMPORT = re.compile(r'^import .*?from "(\.[^"]+)";', re.MULTILINE | re.DOTALL)


@cache
def imported(entry: str) -> tuple[str, ...]:
    """Paths below static/ of a module of static/js and of all that it imports, however far, each once."""
    found: dict[str, None] = {}
    waiting = [SCRIPTS / entry]
    while waiting:
        path = waiting.pop(0)
        name = path.relative_to(SCRIPTS.parent).as_posix()
        if name in found:
            continue
        found[name] = None
        if path.parent == SCRIPTS:  # What comes from packages is one file each.
            waiting += [(path.parent / relative).resolve() for relative in IMPORT.findall(path.read_text(encoding="utf-8"))]
    return tuple(found)


def module(entry: str) -> Markup:
    """The tags that load a module."""
    links = [Markup('<link rel="modulepreload" href="{}">').format(_url(name)) for name in imported(entry)[1:]]
    script = Markup('<script type="module" src="{}"></script>').format(_url(f"js/{entry}"))
    return Markup("\n").join([*links, script])


def _url(name: str) -> str:
    return url_for("static", filename=name)


def offer(app: Flask) -> None:
    """To the templates: `{{ module("model.js") }}`."""
    globals: dict[str, Any] = app.jinja_env.globals
    globals["module"] = module
