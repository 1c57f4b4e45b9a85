"""`clearframe serve`: turn this process into the server."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def serve(context: click.Context) -> None:
    """Start the server. Pass options of run_server.py (--host, --port, --home, --data-root)."""
    # commands/serve.py must patch the standard library before anything else is imported.
    # -P: a package `app` in the current folder must not hide ours.
    command = [sys.executable, "-P", "-m", "commands.serve", *context.args]
    os.execv(sys.executable, command)  # noqa: S606
