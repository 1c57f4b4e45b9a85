"""Start the server: run_server.py, clearframe-server and `clearframe serve`."""

import gc

gc.disable()  # Almost all objects that are made until the server runs stay: `main` freezes them.

from gevent import events, monkey

# gevent looks for plugins of each change in all installed packages: a sixth of the server's start.
events.notify_and_call_entry_points = events.notify
monkey.patch_all()

import json
import os
import secrets

import click
from sqlalchemy.exc import OperationalError

from app.application import create_app
from app.catalog.database import FromTheFuture
from app.catalog.home_lock import HomeInUse
from app.settings import Settings, variable
from app.temporary_failures import lasting_failure
from app.web import logs
from app.web.access import is_loopback, link
from app.web.serving import serve
from commands.server_options import with_settings
from jobs.core.errors import JobError
from jobs.core.paths import READABLE

READ_BY_WORKERS = ("max_image_mb", "max_worker_gb", "max_hours")
"""Settings whose variables jobs/core/limits.py reads."""


@click.command()
@with_settings
def main(settings: Settings) -> None:
    """Clearframe: undo compression damage in images and video."""
    logs.configure(settings.log_format, settings.log_level)
    _set_environment_of_workers(settings)
    _check_users(settings)
    settings = _with_token(settings)
    try:
        app = create_app(settings)
    except (HomeInUse, FromTheFuture, JobError) as error:
        raise click.ClickException(str(error)) from error
    except (OSError, OperationalError) as error:
        if not (sentence := lasting_failure(error)):
            raise
        raise click.ClickException(
            f"The home {settings.home} cannot be used. {sentence}"
        ) from error
    # The objects made so far stay: looking through them again would stop the loop for 0.1 s.
    gc.freeze()
    gc.enable()
    address = link(settings.host, settings.port, settings.token, settings.prefix)
    click.echo(f"Clearframe is at {address}")
    try:
        serve(app, settings.host, settings.port, settings.proxies > 0)
    except OSError as error:
        raise click.ClickException(
            f"Port {settings.port} is not available: {error.strerror}. "
            "Choose another port with --port."
        ) from error
    click.echo("Stopped. Running jobs continue.")


def _set_environment_of_workers(settings: Settings) -> None:
    """Workers inherit the environment: limits, readable folders and GPUs.

    They get neither token nor database password.
    """
    for name in Settings.model_fields:
        os.environ.pop(variable(name), None)
    for name in READ_BY_WORKERS:
        os.environ[variable(name)] = str(getattr(settings, name))
    # Jobs also read the streams that they have compressed.
    readable = [str(path.resolve()) for path in (*settings.readable, settings.jobs)]
    os.environ[READABLE] = json.dumps(readable)
    if settings.gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpus


def _check_users(settings: Settings) -> None:
    """Raises UsageError for options that do not fit each other."""
    if settings.users and (settings.token or settings.user_header):
        raise click.UsageError(
            "--users replaces --token and --user-header. Give only one of the three."
        )
    if settings.user_header and not (settings.proxies and settings.token):
        raise click.UsageError(
            "--user-header: Clients that reach the server without the proxy could send any name. "
            "Set --proxies and CLEARFRAME_TOKEN too, and let the proxy send the token as "
            "Authorization: Bearer TOKEN."
        )
    if settings.admins and not settings.user_header:
        raise click.UsageError("--admin: Only users of --user-header are named so.")


def _with_token(settings: Settings) -> Settings:
    """With a random token if others can reach the server and none is set."""
    # A proxy makes even a loopback address reachable from the network.
    proxied = settings.names or settings.proxies or settings.prefix
    is_reachable = proxied or not is_loopback(settings.host)
    if is_reachable and settings.token is None and settings.users is None:
        return settings.model_copy(update={"token": secrets.token_urlsafe(32)})
    return settings


if __name__ == "__main__":
    main()
