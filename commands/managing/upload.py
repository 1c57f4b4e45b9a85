"""`clearframe upload`: send files and folders to a server."""

from pathlib import Path

import click

from commands.running.refusals import refusals
from commands.running.results import json_option, print_json
from commands.running.there import There


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
)
@click.option(
    "--server",
    metavar="URL",
    envvar="CLEARFRAME_SERVER",
    required=True,
    help="Upload to this server.",
)
@json_option
def upload(paths: tuple[Path, ...], server: str, as_json: bool) -> None:
    """Upload files and folders to a server, and print their paths there, for other commands."""
    stored = []
    with refusals():
        for path in paths:
            stored.append(There(server).upload(path))
            if not as_json:
                click.echo(stored[-1])
    if as_json:
        print_json([{"path": path} for path in stored])
