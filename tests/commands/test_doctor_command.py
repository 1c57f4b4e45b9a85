"""`clearframe doctor`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from commands.main import main


def told(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["doctor", *options])
    return done.exit_code, done.output


def test_a_machine_that_has_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEARFRAME_DATABASE_URL", raising=False)
    status, words = told("--home", str(tmp_path / "not" / "yet"))
    assert status == 0, words
    for about in (
        "Clearframe",
        "Processor",
        "GPU",
        "h264",
        "libx264",
        "ffv1",
        "Home",
        "SQLite in the home",
        "Open files",
    ):
        assert about in words
    assert not (tmp_path / "not").exists()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CLEARFRAME_DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/a.db")
    status, words = told("--home", str(tmp_path / "file"))
    assert status == 1
    assert "missing Home" in words.replace("  ", " ")
    assert "missing Database    CLEARFRAME_DATABASE_URL does not lead to one" in words.replace(
        "missing  ", "missing "
    )
