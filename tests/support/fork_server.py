"""The fork server of a test run: it has imported the commands as well as the workers."""

import os
import subprocess
import sys
from pathlib import Path

from app.runner.fork_server import ROOM
from jobs.core.paths import ROOT
from jobs.core.processes import PERFORMANCE

FOR_EXPORTS = ("torch.onnx._internal.exporter._core", "onnxscript.function_libs.torch_lib.ops")
"""What exports to ONNX import at first."""
OF_TESTS = ("tests.support.command_line", "tests.support.new_store")


def start(path: Path) -> "subprocess.Popen[bytes]":
    """Start it. It ends when the other end of its `stdin` is closed."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(path)],
        env={**os.environ, **PERFORMANCE, **ROOM, "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def main(path: str) -> None:
    from commands.main import COMMANDS
    from jobs import fork_server  # Torch: the processes that only start this one do without.

    fork_server.NICENESS = os.nice(0)  # All tests wait for it.
    commands = (module for module, _, _ in COMMANDS.values())
    fork_server.MODULES = (*fork_server.MODULES, *commands, *FOR_EXPORTS, *OF_TESTS)
    fork_server.main(path, "0")


if __name__ == "__main__":
    main(*sys.argv[1:])
