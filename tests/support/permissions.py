"""Processes that file permissions hold for, though root runs the tests."""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from jobs.core.processes import FORK_SERVER

DROP_FROM_BOUNDING_SET = 24
CAPABILITY_VERSION_3 = 0x20080522
OVERRIDE_PERMISSIONS = (1, 2)
"""PR_CAPBSET_DROP of prctl(2); _LINUX_CAPABILITY_VERSION_3 of capget(2); CAP_DAC_OVERRIDE and
CAP_DAC_READ_SEARCH of capabilities(7)."""


def run_as_ordinary_user(
    command: list[str], cwd: Path, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command that may write only what its permissions allow.

    Root keeps its user, since nobody else may be able to read this Python, and loses the right to
    ignore permissions.
    """
    return subprocess.run(
        command,
        cwd=cwd,
        # Without the fork server of the tests: it may write everywhere.
        env={**os.environ, FORK_SERVER: "", **env},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=hold_to_permissions,
        timeout=120,
    )


def hold_to_permissions() -> None:
    """Let permissions of files hold for this process and what it executes. Raises OSError."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # Effective, permitted, inheritable: the lower 32, the higher.
    failed = libc.capget(header, sets)
    for capability in OVERRIDE_PERMISSIONS:
        failed |= libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
        for which in range(3):
            sets[which] &= ~(1 << capability)
    if failed or libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capabilities(7)")


def skip_unless_permissions_hold(folder: Path) -> None:
    """Skip the test if a process can write to a folder without permission."""
    locked = folder / "locked"
    locked.mkdir(mode=0o555)
    try:
        done = run_as_ordinary_user(["touch", str(locked / "file")], folder)
    except subprocess.SubprocessError as error:
        pytest.skip(f"root cannot give up the right to ignore permissions: {error}")
    if done.returncode == 0:
        pytest.skip("permissions of folders do not hold here")
