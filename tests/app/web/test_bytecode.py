"""Tests of the compiled templates that servers keep."""

from pathlib import Path

import pytest
from flask import Flask, render_template
from jinja2 import Environment
from jinja2.bccache import bc_magic

from app.application import create_app
from app.settings import Settings
from app.web.bytecode import TemplateBytecode


def rendered(templates: Path, compiled: Path) -> str:
    """A page of a new server."""
    app = Flask("pages", template_folder=str(templates))
    app.jinja_options = {"bytecode_cache": TemplateBytecode(compiled)}
    with app.app_context():
        return render_template("page.html", name="<b>")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "page.html").write_text("Hello {{ name }}")
    return folder


def test_the_next_server_does_not_compile_templates_again(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = tmp_path / "python" / "compiled"
    assert rendered(templates, compiled) == "Hello &lt;b&gt;"
    with monkeypatch.context() as context:
        context.delattr(Environment, "_generate")
        assert rendered(templates, compiled) == "Hello &lt;b&gt;"
    (templates / "page.html").write_text("Goodbye {{ name }}")
    assert rendered(templates, compiled) == "Goodbye &lt;b&gt;"


@pytest.mark.parametrize("damaged", [b"", *(bc_magic + end for end in (b"", b"junk", b"h\t."))])
def test_a_damaged_file_is_written_again(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bytes
) -> None:
    compiled = tmp_path / "compiled"
    rendered(templates, compiled)
    (file,) = compiled.iterdir()
    file.write_bytes(damaged)
    assert rendered(templates, compiled) == "Hello &lt;b&gt;"
    monkeypatch.delattr(Environment, "_generate")
    assert rendered(templates, compiled) == "Hello &lt;b&gt;"


@pytest.mark.parametrize("folder", ["/proc/compiled", "/dev/null"])
def test_a_folder_that_cannot_be_written_is_not_needed(templates: Path, folder: str) -> None:
    assert rendered(templates, Path(folder)) == "Hello &lt;b&gt;"


def test_the_server_keeps_its_templates(home: Path) -> None:
    app = create_app(Settings(home=home), work=False)
    assert isinstance(app.jinja_env.bytecode_cache, TemplateBytecode)


def test_nothing_is_written_if_python_writes_no_bytecode(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert rendered(templates, tmp_path / "compiled") == "Hello &lt;b&gt;"
    assert not (tmp_path / "compiled").exists()
