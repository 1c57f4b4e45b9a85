"""A small file system for tests of a full disk."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """An ext4 file system in a file, mounted below `place`. Skips the test without root rights."""
    disk, image = place / "disk", place / "disk.img"
    disk.mkdir()
    image.write_bytes(bytes(megabytes * 2**20))
    for command in (
        ["mkfs.ext4", "-q", str(image)],
        ["mount", "-o", "loop", str(image), str(disk)],
    ):
        if (
            shutil.which(command[0]) is None
            or subprocess.run(command, capture_output=True, check=False, timeout=120).returncode
        ):
            pytest.skip("mounting a file system needs root and mkfs.ext4")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=120)


def fill(disk: Path) -> Path:
    """Fill the disk completely; return the file that takes the space."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (2**20, 2**16, 2**12):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast
