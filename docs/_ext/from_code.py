"""Reference made from the code, and pages that obey the server's content security policy.

`<!-- settings of ModelSpec -->`, `<!-- settings of the server -->` and `<!-- operations -->` in a
document become tables. `commands` is for sphinx-click.
"""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from sphinx.application import Sphinx

from app.api.openapi import FILE, TAGS
from app.forms.fields import Field, fields_of
from app.settings import Settings, variable
from commands import main
from commands.server_options import option_name
from jobs import specs
from models.definitions.networks import NETWORKS

INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
TAGS_OF_FILES = {
    "script": '<script src="{}"></script>',
    "style": '<link rel="stylesheet" href="{}">',
}
SUFFIXES = {"script": ".js", "style": ".css"}
STYLES = {'style="display: none;"': 'display="none"', 'style="opacity: 50%"': 'opacity="0.5"'}
"""Style attributes of the icons of furo, and the attributes of SVG that do the same."""
ACCESSIBLE = {
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}
"""Headings of the navigation have a level, and the keyboard scrolls wide examples and tables."""

commands = click.Group(
    "clearframe",
    {name: entry.load() for name, entry in main.main.commands.items()},
    params=main.main.params,
    help=main.main.help,
)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", insert_tables)
    app.connect("build-finished", move_inline_parts)
    return {"parallel_read_safe": True}


def insert_tables(_app: Sphinx, _name: str, source: list[str]) -> None:
    text = re.sub(
        r"<!-- settings of ([A-Z]\w+) -->",
        lambda match: settings_of(getattr(specs, match[1])),
        source[0],
    )
    for marker, table in (
        ("settings of the server", settings_of_server),
        ("operations", operations),
        ("networks", networks),
    ):
        if f"<!-- {marker} -->" in text:
            text = text.replace(f"<!-- {marker} -->", table())
    source[0] = text


def table(titles: list[str], rows: list[list[str]]) -> str:
    cells = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells
    )


def settings_of(spec: type[specs.Spec]) -> str:
    """The fields of a spec as its form has them, those of a kind (a source, a solver) together."""
    rows: dict[str, list[str]] = {}
    for field in fields_of(spec):
        if field.name.split(".")[0] in ("validation", "test") and ".source." in field.name:
            continue  # As those of the source of the dataset.
        name = f"`{field.name}`"
        kinds = ", ".join(f"`{kind}`" for _, kind in field.when)
        shown = f"{name} of {kinds}" if kinds else name
        text = " ".join([f"**{field.label}**.", field.help, *choices_of(field)])
        rows[f"{shown} {text}"] = [shown, default_of(field), text]
    return table(["setting", "default", "meaning"], list(rows.values()))


def choices_of(field: Field) -> list[str]:
    if field.kinds:
        return [f"`{kind}`: {' '.join(text.split())}" for kind, text in field.kinds.items()]
    if field.widget == "select":
        return ["One of " + ", ".join(f"`{value}`" for value, _ in field.choices) + "."]
    if field.minimum is not None and field.maximum is not None:
        return [f"{field.minimum:g} to {field.maximum:g}."]
    return []


def default_of(field: Field) -> str:
    if field.required:
        return "required"
    return f"{field.default} {field.unit}".strip() if field.default != "" else ""


def settings_of_server() -> str:
    rows = []
    for name, info in Settings.model_fields.items():
        default = "" if info.default in (None, (), "") else f"`{info.default}`"
        option = f"`{option_name(name)}`"
        rows.append([option, f"`{variable(name)}`", f"`{name}`", default, str(info.description)])
    return table(["option", "variable", "key", "default", "meaning"], rows)


def operations() -> str:
    """The operations of the API by subject."""
    paths = json.loads(FILE.read_text(encoding="utf-8"))["paths"]
    parts = []
    for tag, about in TAGS.items():
        rows = [
            [f"`{method.upper()} {path}`", operation["summary"], body_of(operation)]
            for path, operations in paths.items()
            for method, operation in operations.items()
            if isinstance(operation, dict) and tag in operation.get("tags", ())
        ]
        parts += [f"## {about}", table(["request", "what it does", "body"], rows)]
    return "\n\n".join(parts)


def body_of(operation: dict[str, Any]) -> str:
    contents = operation.get("requestBody", {}).get("content", {})
    names = [
        content.get("schema", {}).get("$ref", "").rpartition("/")[2] or kind
        for kind, content in contents.items()
    ]
    return ", ".join(f"`{name}`" for name in names)


def networks() -> str:
    rows = [[f"`{name}`", network.title, network.paper] for name, network in NETWORKS.items()]
    return table(["name", "network", "paper"], rows)


def move_inline_parts(app: Sphinx, error: Exception | None) -> None:
    """Move inline scripts and styles into files, as the server's policy forbids them.

    The pages become ACCESSIBLE as well.
    """
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    (out / "_static" / "own").mkdir(exist_ok=True)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        root = "../" * (len(page.relative_to(out).parts) - 1)

        def moved(match: re.Match[str], root: str = root) -> str:
            kind, content = match[1], match[2]
            digest = sha256(content.encode()).hexdigest()[:12]
            name = f"_static/own/{digest}{SUFFIXES[kind]}"
            (out / name).write_text(content, encoding="utf-8")
            return TAGS_OF_FILES[kind].format(root + name)

        text = INLINE.sub(moved, text)
        for old, new in (STYLES | ACCESSIBLE).items():
            text = text.replace(old, new)
        page.write_text(text, encoding="utf-8")
