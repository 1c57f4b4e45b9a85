"""The stylesheets: one order of layers, and colours in one place."""

import re

from jobs.core.paths import STATIC

ALL = STATIC / "css" / "all.css"
SHEETS = sorted(path for path in ALL.parent.glob("*.css") if path != ALL)
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(", re.IGNORECASE)


def test_colours_are_defined_in_tokens_only() -> None:
    literal = {sheet.name: COLOUR.findall(sheet.read_text()) for sheet in SHEETS}
    assert literal.pop("tokens.css")
    assert not {name: colours for name, colours in literal.items() if colours}


def test_pages_load_all_stylesheets_in_the_order_of_their_layers() -> None:
    sheets = {sheet.stem: sheet.read_text() for sheet in SHEETS}
    declared = re.search(r"@layer ([^;{]+);", sheets["tokens"])
    assert declared is not None
    order = re.findall(r"[\w-]+", declared.group(1))
    loaded = re.findall(r'@import "(\w+)\.css";', ALL.read_text())
    assert sorted(loaded) == sorted(sheets)
    layers = [re.findall(r"@layer ([\w-]+) {", sheets[name]) for name in loaded]
    assert all(len(names) == 1 for names in layers)
    assert [order.index(names[0]) for names in layers] == sorted(
        order.index(names[0]) for names in layers
    )
