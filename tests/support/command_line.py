"""Run `clearframe` as a shell does, in a process that need not import everything first."""

import os
import subprocess
import sys
import tempfile
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
    done = processes.run(__name__, line, env=env, timeout=250)
    done.stdout, done.stderr = map(_lines, (done.stdout, done.stderr))
    return done


def between_pipes(
    *arguments: str, input: bytes, folder: Path = ROOT
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command that reads from a pipe and writes to another, to its end."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(input)
        given.seek(0)
        with (
            subprocess.Popen("cat", stdin=given, stdout=subprocess.PIPE) as before,
            subprocess.Popen("cat", stdin=subprocess.PIPE, stdout=output) as after,
        ):
            assert before.stdout is not None
            assert after.stdin is not None
            with before.stdout as source, after.stdin as target:
                streams = source.fileno(), target.fileno(), errors.fileno()
                process = processes.start(__name__, [str(folder), "", *arguments], None, *streams)
            status = process.wait(timeout=120)
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())


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
