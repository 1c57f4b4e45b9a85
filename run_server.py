"""Start the server: python run_server.py --home data --data-root FOLDER"""

from gevent import monkey

monkey.patch_all()

import ipaddress
import os
import signal
import sys
from pathlib import Path

import click
import gevent

from app import create_app
from app.extensions import socketio
from app.settings import Settings


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only, as there is no login yet."
)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--home", envvar="CLEARFRAME_HOME", default="data", show_default=True, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder that jobs may read (several are possible). Default: the current folder.",
)
@click.option(
    "--max-image-mb",
    envvar="CLEARFRAME_MAX_IMAGE_MB",
    default=512,
    show_default=True,
    type=click.IntRange(min=1),
    help="What one picture may take in memory, in MiB: a file that unpacks to more is refused.",
)
@click.option(
    "--allow-user-code",
    is_flag=True,
    help="Let training jobs run Python files below the data roots: whoever reaches the server can then do all that it can.",
)
def main(host: str, port: int, home: Path, data_roots: tuple[Path, ...], max_image_mb: int, allow_user_code: bool) -> None:
    """Clearframe: undo compression damage in images and video."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise click.ClickException(
            f"{host} can be reached by others, and there is no login yet. Use 127.0.0.1, and an SSH tunnel from afar."
        )
    os.environ["CLEARFRAME_MAX_IMAGE_MB"] = str(max_image_mb)  # Workers read it there: jobs.limits.
    roots = tuple(root.resolve() for root in data_roots or (Path.cwd(),))
    app = create_app(Settings(home.resolve(), roots, os.environ.get("CLEARFRAME_DATABASE_URL"), allow_user_code))
    # In a greenlet of its own: raised in whichever one runs at that moment, the exit could be swallowed there.
    gevent.signal_handler(signal.SIGTERM, sys.exit, 0)
    click.echo(f"Clearframe is at http://{host}:{port}/")
    try:
        socketio.run(app, host=host, port=port)
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error.strerror}. Give another one with --port.") from error
    except KeyboardInterrupt:
        click.echo("Stopped. Jobs that run go on.")


if __name__ == "__main__":
    main()
