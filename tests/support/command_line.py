"""Run `clearframe` as a shell does, in a process that need not import everything first."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from jobs.core import processes
from jobs.core.paths import ROOT


def clearframe(
    *arguments: str | Path,
    folder: Path = ROOT,
    env: Mapping[str, str] | None = None,
    held: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder, to its end. Permissions of files hold for it if it is `held`."""
    line = [str(folder), "held" if held else "", *map(str, arguments)]
    done = processes.run(__name__, line, env=env)
    done.stdout, done.stderr = map(_lines, (done.stdout, done.stderr))
    return done


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def main(folder: str, held: str, *arguments: str) -> int:
    """Become the command, in its process."""
    from commands.main import main as command
    from tests.support.permissions import hold_to_permissions

    if held:
        hold_to_permissions()
        os.environ[processes.FORK_SERVER] = ""  # It may write everywhere.
    os.chdir(folder)
    try:
        command(arguments, prog_name="clearframe")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


if __name__ == "__main__":  # Without a fork server.
    sys.exit(main(*sys.argv[1:]))
