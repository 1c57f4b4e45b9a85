"""Tests of the server's settings: option over environment variable over file over default."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from app.settings import Settings, variable
from commands.server_options import option_name, with_settings

SAMPLES: dict[str, tuple[str, Any]] = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("5001", 5001),
    "home": ("elsewhere", Path("elsewhere")),
    "data_roots": ("roots", (Path("roots"),)),
    "max_image_mb": ("64", 64),
    "max_worker_gb": ("1.5", 1.5),
    "max_hours": ("0.5", 0.5),
    "allow_user_code": ("true", True),
    "allow_urls": ("true", True),
    "allow_private_urls": ("true", True),
    "token": ("sixteen-letters-", "sixteen-letters-"),
    "users": ("users.toml", Path("users.toml")),
    "user_header": ("X-Forwarded-User", "X-Forwarded-User"),
    "admins": ("root", ("root",)),
    "names": ("a.example", ("a.example",)),
    "proxies": ("1", 1),
    "prefix": ("/clips/", "/clips"),
    "dataset_workers": ("3", 3),
    "test_workers": ("4", 4),
    "cpu_trainings": ("5", 5),
    "preload_minutes": ("15", 15.0),
    "log_format": ("json", "json"),
    "log_level": ("debug", "debug"),
    "gpus": ("0,1", "0,1"),
    "database_url": ("sqlite:///a.db", "sqlite:///a.db"),
}
"""A value of each setting as text, and as the server uses it; paths below the current folder."""

Run = Callable[..., tuple[Settings | None, int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Parse options, environment and the text of a file: settings, exit status, last line."""
    for name in (*Settings.model_fields, "config"):
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roots").mkdir()
    (tmp_path / "users.toml").write_text('[anna]\ntoken = "sixteen-letters-"')

    def run(
        *options: str, env: dict[str, str] | None = None, file: str | None = None
    ) -> tuple[Settings | None, int, str]:
        parsed: list[Settings] = []
        command = click.command()(with_settings(parsed.append))
        if file is not None:
            Path("server.toml").write_text(file)
            options = ("--config=server.toml", *options)
        result = CliRunner().invoke(command, options, env=env)
        last = result.output.splitlines()[-1] if result.output else ""
        return (parsed[0] if parsed else None), result.exit_code, last

    return run


def expected(name: str) -> Any:
    value = SAMPLES[name][1]
    if isinstance(value, Path):
        return value.resolve()
    return tuple(path.resolve() for path in value) if name == "data_roots" else value


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_an_option_a_variable_and_a_key(name: str, run: Run) -> None:
    text, value = SAMPLES[name]
    option = option_name(name) if value is True else f"{option_name(name)}={text}"
    quoted = text if isinstance(value, bool | int | float) else f"'{text}'"
    listed = f"[{quoted}]" if isinstance(value, tuple) else quoted
    for settings, status, output in (
        run(option),
        run(env={variable(name): text}),
        run(file=f"{name} = {listed}"),
    ):
        assert settings is not None, output
        assert (status, getattr(settings, name)) == (0, expected(name))
    default, _, _ = run()
    assert getattr(default, name) != expected(name)


def test_the_option_overrides_the_variable_and_the_variable_the_file(run: Run) -> None:
    file, environment = "port = 1\nnames = ['file']\ngpus = '7'", {"CLEARFRAME_PORT": "2"}
    settings, _, _ = run(file=file)
    assert settings is not None
    assert (settings.port, settings.names, settings.gpus) == (1, ("file",), "7")
    settings, _, _ = run(file=file, env=environment | {"CLEARFRAME_NAMES": "a,b"})
    assert settings is not None
    assert (settings.port, settings.names, settings.gpus) == (2, ("a", "b"), "7")
    settings, _, _ = run("--port=5000", "--name=c", "--name=d", file=file, env=environment)
    assert settings is not None
    # 5000 is the default, but an explicit one.
    assert (settings.port, settings.names, settings.gpus) == (5000, ("c", "d"), "7")
    assert run("--port=3", env={"CLEARFRAME_PORT": "x"})[1] == 0


def test_the_variable_of_the_file_and_lists_in_variables(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("port = 1")
    (tmp_path / "more").mkdir()
    settings, _, _ = run(
        env={
            "CLEARFRAME_CONFIG": "a.toml",
            "CLEARFRAME_DATA_ROOTS": os.pathsep.join(("roots", "more")),
            "CLEARFRAME_TOKEN": "",
        }
    )
    assert settings is not None
    assert (settings.port, settings.token) == (1, None)
    assert settings.data_roots == (tmp_path / "roots", tmp_path / "more")
    defaults, _, _ = run()
    assert defaults is not None
    assert (defaults.data_roots, defaults.home) == ((tmp_path,), tmp_path / "data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--port=70000", "Invalid value for '--port': 70000 is not in the range 1<=x<=65535."),
        ("--data-root=no", "Invalid value for '--data-root': Directory 'no' does not exist."),
        (
            "--prefix=a",
            "Invalid value for '--prefix': 'a' is not a URL path. Use letters, digits and "
            ". _ ~ - between slashes, such as /clearframe.",
        ),
        ("--config=no.toml", "No file at no.toml. Correct --config or CLEARFRAME_CONFIG."),
    ],
)
def test_a_wrong_option(options: str, message: str, run: Run) -> None:
    assert run(options)[1:] == (2, f"Error: {message}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "x", "'x'. Must be a whole number."),
        ("MAX_HOURS", "-1", "'-1'. Must be at least 0."),
        ("ALLOW_USER_CODE", "maybe", "'maybe'. Must be true or false."),
        ("DATA_ROOTS", "roots:no", "'no'. No folder has this path."),
        ("LOG_LEVEL", "all", "'all'. Must be one of 'debug', 'info' or 'warning'."),
    ],
)
def test_a_wrong_variable(name: str, value: str, message: str, run: Run) -> None:
    assert run(env={f"CLEARFRAME_{name}": value})[1:] == (
        2,
        f"Error: Invalid value for CLEARFRAME_{name}: {message} Change or unset the variable.",
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("port = 0", "Invalid value for port in server.toml: 0. Must be at least 1. Change the"),
        ("names = 5", "Invalid value for names in server.toml: 5. Must be a list. Change the file"),
        ("prot = 1", "Unknown setting 'prot' in server.toml. Remove it, or correct its name."),
        ("port =", "server.toml is not a TOML file: Invalid value"),
    ],
)
def test_a_wrong_file(file: str, message: str, run: Run) -> None:
    _, status, line = run(file=file)
    assert (status, line[: len(message) + 7]) == (2, f"Error: {message}")


def test_a_default_that_is_wrong_matters_only_if_it_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("A file where the home is by default.")
    message = "Error: Invalid value for '--home': 'data' is a file. Use a folder."
    assert run()[1:] == (2, message)
    assert run(file="port = 1")[1:] == (2, message)
    assert run(env={"CLEARFRAME_HOME": "home"})[1] == 0
    assert run(file="home = 'home'")[1] == 0


def test_a_short_token_is_refused_and_not_repeated(run: Run) -> None:
    message = "Error: The token is too short. Use at least 16 characters, or leave {} out."
    assert run("--token=short")[1:] == (1, message.format("--token"))
    assert run(env={"CLEARFRAME_TOKEN": "short"})[1:] == (1, message.format("CLEARFRAME_TOKEN"))
    assert run(file="token = 'short'")[1:] == (1, message.format("token in server.toml"))


def test_arguments_alone_make_settings_without_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`clearframe train` makes them; CLEARFRAME_TOKEN is then the token of some server."""
    monkeypatch.setenv("CLEARFRAME_TOKEN", "short")
    monkeypatch.setenv("CLEARFRAME_PORT", "1")
    settings = Settings(home=tmp_path)
    assert (settings.port, settings.token) == (5000, None)


def test_each_option_has_a_help_text() -> None:
    command = click.command()(with_settings(lambda settings: None))
    output = CliRunner().invoke(command, ["--help"], terminal_width=400).output
    for name, field in Settings.model_fields.items():
        assert field.description
        assert re.search(rf"{option_name(name)}\b.*\n? *{re.escape(field.description)}", output)
