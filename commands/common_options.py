"""Options that several commands have: where jobs are, where they run, and what may run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def home_option(help: str = "Use this home folder.") -> Decorator:
    """--home: the folder that has the jobs of this machine."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("data"),
        envvar="CLEARFRAME_HOME",
        show_default=True,
        help=help,
    )


def server_option(verb: str) -> Decorator:
    """--server: a server that does the work. `verb`: the work, as in "Train"."""
    return click.option(
        "--server",
        metavar="URL",
        envvar="CLEARFRAME_SERVER",
        help=f"{verb} on this server instead of this machine.",
    )


def user_code_option(code: str = "Python file of a network") -> Decorator:
    """--allow-user-code: whether foreign code may run."""
    return click.option(
        "--allow-user-code", is_flag=True, help=f"Allow the {code} to run on this machine."
    )


wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait for the end of the job. Without --server, always.",
)
