"""Folders of the installed program, and the opening of files in the folders of users."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from jobs.core.errors import JobError

ROOT = Path(__file__).parent.parent.parent
"""The folder that contains the packages. Processes start in it, so that they can import them."""
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
EXAMPLES = ROOT / "examples"
HELP = ROOT / "help"
"""The documents as pages, which `make docs` builds."""

READABLE = "CLEARFRAME_READABLE"
"""The folders that the jobs of a server may read, as a JSON list of real paths. Without a server
it is not set: commands read whatever their user can read."""


def open_file(path: Path) -> BinaryIO:
    """Open a file of a user for reading. Only the file that is open counts, not its name.

    Raises JobError if a link leads out of the folders that a server may read, and OSError.
    """
    file = path.open("rb")
    if not may_read(_real_path(file)):
        file.close()
        raise JobError(
            f"{path.name} is a link, or in a linked folder, that leads out of the folders that "
            "this server may read. Copy the file to one of them, or start the server with "
            "--data-root and its folder."
        )
    return file


def _real_path(file: BinaryIO) -> Path:
    """The path of an open file, even if its links have changed since it was opened."""
    if sys.platform == "darwin":
        name = fcntl.fcntl(file, fcntl.F_GETPATH, bytes(1024))
        return Path(os.fsdecode(name.rstrip(b"\0")))
    return Path(f"/proc/self/fd/{file.fileno()}").readlink()


def may_read(real: Path) -> bool:
    """Whether a real path is in the folders that a server may read; without a server, always."""
    folders = os.environ.get(READABLE)
    return folders is None or any(real.is_relative_to(folder) for folder in json.loads(folders))
