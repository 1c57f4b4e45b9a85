"""Tests of the rules whose URLs are compiled when they are needed."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.application import create_app
from app.settings import Settings
from app.web.rules import LateRule

URLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("plain", {}),
    ("page", {"number": 7, "rule": "a b", "more": ["1", "2"]}),
    ("page", {"rule": "x"}),
    ("file", {"path": "a/ü?", "_anchor": "top"}),
)


def view(**_: object) -> str:
    return ""


def urls(rule: type[Rule]) -> list[str]:
    app = Flask("rules")
    app.url_rule_class = rule
    for path, name in (
        ("/", "plain"),
        ("/page/<int:number>/<rule>", "page"),
        ("/file/<path:path>", "file"),
    ):
        app.add_url_rule(path, name, view)
    app.add_url_rule("/first/<rule>", "page", view, defaults={"number": 1})
    with app.test_request_context():
        return [app.url_for(name, **values) for name, values in URLS]


def test_urls_are_those_of_werkzeug() -> None:
    assert urls(LateRule) == urls(Rule)


def test_no_url_is_compiled_until_one_is_built(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Rule] = []
    compile = Rule._compile_builder

    def note(rule: Rule, append_unknown: bool = True) -> object:
        compiled.append(rule)
        return compile(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", note)
    app = create_app(Settings(home=home), work=False)
    before = len(compiled)
    with app.test_request_context():
        first, second = (app.url_for("models.new_model") for _ in range(2))
    assert first == second == "/models/new"
    assert len(compiled) == before + 1
    assert before < 10 < len(list(app.url_map.iter_rules()))
