"""Scripts that pages preload."""

import re

import pytest

from app.web.assets import SCRIPTS, imported

MODULES = sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.js"))


@pytest.mark.parametrize("module", MODULES)
def test_all_imports_of_a_module_are_preloaded(module: str) -> None:
    text = (SCRIPTS / module).read_text(encoding="utf-8")
    statements = re.findall(r'^(?:import|\} from) .*?([\w.]+\.js)";$', text, re.MULTILINE)
    preloaded = {path.rsplit("/", 1)[1] for path in imported(module)[1:]}
    assert set(statements) <= preloaded


def test_imports_for_side_effects_are_preloaded() -> None:
    assert {"js/paths/picker.js", "js/paths/upload_field.js"} <= set(imported("paths/paths.js"))
