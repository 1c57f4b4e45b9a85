"""Tests of `clearframe doctor`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from commands.main import main


def doctor(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["doctor", *options])
    return done.exit_code, done.output


def test_complete_machine_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEARFRAME_DATABASE_URL", raising=False)
    status, output = doctor("--home", str(tmp_path / "not" / "yet"))
    assert status == 0, output
    for subject in (
        "Clearframe",
        "Processor",
        "GPU",
        "h264",
        "libx264",
        "libx265",
        "ffv1",
        "Home",
        "SQLite in the home",
        "Open files",
    ):
        assert subject in output
    assert not (tmp_path / "not").exists()


def test_json_has_each_finding(tmp_path: Path) -> None:
    status, output = doctor("--home", str(tmp_path), "--json")
    assert status == 0
    levels = {finding["subject"]: finding["level"] for finding in json.loads(output)}
    assert levels["Home"] in ("ok", "note")
    assert levels["Codec"] == "ok"


def test_reports_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CLEARFRAME_DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/a.db")
    status, output = doctor("--home", str(tmp_path / "file"))
    assert status == 1
    assert "missing Home" in output.replace("  ", " ")
    assert "missing Database    Cannot connect to CLEARFRAME_DATABASE_URL" in output.replace(
        "missing  ", "missing "
    )
