"""Tests of the group `clearframe`: it imports a command only when that command is called."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from commands.main import COMMANDS, FOR_ALL, Entry, main
from tests.conftest import Clip

HEAVY = {"app", "flask", "jobs", "models", "pydantic", "sqlalchemy", "torch"}
PRINT_HEAVY = f"import sys; print(*sorted({HEAVY!r} & sys.modules.keys()))"


def entries() -> list[Entry]:
    return [entry for entry in main.commands.values() if isinstance(entry, Entry)]


@pytest.mark.parametrize("width", [40, 50, 80, 200])
def test_lists_the_short_help_of_each_command(width: int) -> None:
    for entry in entries():
        assert entry.get_short_help_str(width) == entry.load().get_short_help_str(width)
    complete = click.Group("clearframe", commands=[entry.load() for entry in entries()])
    complete.help, complete.params = main.help, main.params
    context = click.Context(main, info_name="clearframe", terminal_width=width)
    assert main.get_help(context) == complete.get_help(context)


def test_each_entry_loads_the_command_of_its_name() -> None:
    for entry in entries():
        assert entry.load().name == entry.name
        assert main.resolve_command(click.Context(main), [entry.name or "", "a", "b"]) == (
            entry.name,
            entry.load(),
            ["a", "b"],
        )
    assert len(entries()) == len(COMMANDS) == len(main.commands)


def test_suggests_the_command_of_a_mistyped_name() -> None:
    with pytest.raises(click.UsageError, match="'trainn'") as raised:
        main.resolve_command(click.Context(main), ["trainn"])
    assert "train" in raised.value.format_message()


@pytest.mark.parametrize("line", ["['--help']", "[]", "['trainn']", "['serve', '--help']"])
def test_help_imports_no_command(line: str, python: Callable[[str], str]) -> None:
    code = f"""
from commands.main import main
try:
    main({line})
except SystemExit:
    pass
{PRINT_HEAVY}
"""
    assert python(code).split("\n")[-2] == ""


@pytest.mark.parametrize(
    ("typed", "expected", "heavy"),
    [
        ("", sorted(COMMANDS), False),
        ("tr", ["train"], False),
        ("dataset ", ["create", "export", "import"], True),
    ],
)
def test_completion(
    typed: str, expected: list[str], heavy: bool, python: Callable[[str], str]
) -> None:
    code = f"""
import os
words = "clearframe " + {typed!r}
os.environ.update(COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
os.environ["_CLEARFRAME_COMPLETE"] = "bash_complete"
from commands.main import main
try:
    main(prog_name="clearframe")
except SystemExit:
    pass
{PRINT_HEAVY}
"""
    *lines, imported, _ = python(code).split("\n")
    assert [line.removeprefix("plain,") for line in lines] == expected
    assert heavy or not imported


def test_completion_lists_the_options_of_a_command() -> None:
    from click.shell_completion import BashComplete

    completion = BashComplete(main, {}, "clearframe", "_CLEARFRAME_COMPLETE")
    items = completion.get_completions(["train"], "--network-d")
    assert [item.value for item in items] == ["--network-depth"]


def test_dataset_create_never_imports_torch(
    clip: Clip, home: Path, python: Callable[[str], str]
) -> None:
    """The worker does the work: the process that shows its progress needs no torch."""
    stream, originals = clip
    arguments = ["dataset", "create", f"--stream={stream}", f"--originals={originals}"]
    code = f"""
from commands.main import main
main({[*arguments, f"--home={home}", "--json"]!r}, standalone_mode=False)
import sys
print(sorted({{"torch", "torchvision", "av", "numpy"}} & sys.modules.keys()))
"""
    summary, _, imported = python(code).strip().rpartition("\n")
    assert json.loads(summary)["summary"]["pairs"]
    assert imported == "[]"


def test_a_file_has_settings_of_commands_and_options_override_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FOR_ALL:  # So that what the command sets is taken back.
        monkeypatch.setenv(f"CLEARFRAME_{name.upper()}", "x")
        monkeypatch.delenv(f"CLEARFRAME_{name.upper()}")
    file = tmp_path / "commands.toml"
    home = tmp_path / "nowhere"
    file.write_text(
        f"home = '{home}'\n[jobs.list]\njson = true\n[dataset.create]\nqp = [30, 'x']\n"
        "[train]\nname = 'm'\nsolver-momentum = 0.5\n"
    )
    run = partial(CliRunner().invoke, main)
    assert run(["--config", str(file), "jobs", "list"]).stdout == "[]\n"
    create = ["--config", str(file), "dataset", "create", "--originals", str(tmp_path)]
    assert "--qp" in run(create).stderr
    assert "--qp" not in run([*create, "--qp", "30"]).stderr
    assert str(home) in run(["--config", str(file), "jobs", "show", "abcdefgh"]).stderr
    for text, message in (("port = 1", "Unknown setting 'port'"), ("=", "is not a TOML file")):
        file.write_text(text)
        refused = run(["--config", str(file), "jobs", "list"])
        assert (refused.exit_code, message in refused.stderr) == (2, True)
    assert "cannot be read" in run(["--config", str(home), "jobs", "list"]).stderr
