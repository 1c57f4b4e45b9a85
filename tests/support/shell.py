"""`clearframe` for shells and examples: it starts at once, as tests.support.command_line does.

As a program, this passes its command on. It imports little.
"""

import os
import sys
from pathlib import Path

from jobs.core import processes


def put_on_path(folder: Path) -> str:
    """The PATH of shells whose `clearframe` is this program, by a script in `folder`."""
    script = folder / "clearframe"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S -m {__name__} "$@"\n')
    script.chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


if __name__ == "__main__":
    line = [os.getcwd(), "", *sys.argv[1:]]
    status = processes.start("tests.support.command_line", line, stdin=0).wait()
    sys.exit(status if status >= 0 else 128 - status)
