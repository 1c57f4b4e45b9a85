"""Start the server: python run_server.py --home data --data-root FOLDER"""

from gevent import monkey

monkey.patch_all()

import os
import secrets
from pathlib import Path

import click

from app import create_app
from app.catalog.database import FromTheFuture
from app.catalog.home_lock import HomeInUse
from app.settings import Settings, Slots
from app.web import logs
from app.web.access import is_loopback, link
from app.web.prefix import PREFIX
from app.web.serving import serve


def _as_prefix(context: click.Context, parameter: click.Parameter, told: str) -> str:
    prefix = told.rstrip("/")
    if not PREFIX.fullmatch(prefix):
        raise click.BadParameter(
            f"{told!r} is no path such as /clearframe, of letters, digits and . _ ~ - between slashes."
        )
    return prefix


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. On any other than this machine's own, those who come need the token.",
)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--home",
    envvar="CLEARFRAME_HOME",
    default="data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
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
    "--max-worker-gb",
    envvar="CLEARFRAME_MAX_WORKER_GB",
    default=0.0,
    show_default="no limit",
    type=click.FloatRange(min=0),
    help="What each process of a job may take in memory, in GiB; does not hold for trainings on GPUs.",
)
@click.option(
    "--max-hours",
    envvar="CLEARFRAME_MAX_HOURS",
    default=0.0,
    show_default="no limit",
    type=click.FloatRange(min=0),
    help="How long a job may take each time that it is started.",
)
@click.option(
    "--allow-user-code",
    is_flag=True,
    help="Let training jobs run Python files below the data roots: whoever reaches the server can then do all that it can.",
)
@click.option(
    "--token",
    envvar="CLEARFRAME_TOKEN",
    help="What those who come must know. Default: none on 127.0.0.1, a new one at each start elsewhere.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="A name that it answers to besides its machine's, such as that of a proxy (several are possible).",
)
@click.option(
    "--proxies",
    default=0,
    show_default=True,
    type=click.IntRange(0, 9),
    help="How many proxies stand before it: so many X-Forwarded-For, -Proto and -Host are believed.",
)
@click.option(
    "--prefix",
    default="",
    callback=_as_prefix,
    metavar="/PATH",
    help="The path below which a proxy shows it, as /clearframe of https://clips.example/clearframe/.",
)
@click.option(
    "--dataset-workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Datasets made at a time.",
)
@click.option(
    "--test-workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Tests at a time.",
)
@click.option(
    "--cpu-trainings",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Trainings on the processor at a time.",
)
@click.option(
    "--log-format",
    envvar="CLEARFRAME_LOG_FORMAT",
    default="text",
    show_default=True,
    type=click.Choice(logs.FORMATS),
    help="Of what the server says on standard error; json: a line an event, its fields one by one.",
)
@click.option(
    "--log-level",
    envvar="CLEARFRAME_LOG_LEVEL",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning"]),
    help="info tells what becomes of jobs, debug each request, too.",
)
@click.option(
    "--gpus",
    metavar="0,1",
    help="The GPUs that trainings may use. Default: CUDA_VISIBLE_DEVICES, or all.",
)
def main(
    host: str,
    port: int,
    home: Path,
    data_roots: tuple[Path, ...],
    max_image_mb: int,
    max_worker_gb: float,
    max_hours: float,
    allow_user_code: bool,
    token: str | None,
    names: tuple[str, ...],
    proxies: int,
    prefix: str,
    dataset_workers: int,
    test_workers: int,
    cpu_trainings: int,
    log_format: str,
    log_level: str,
    gpus: str | None,
) -> None:
    """Clearframe: undo compression damage in images and video."""
    logs.begin(log_format, log_level)
    if token is not None and len(token) < 16:
        raise click.ClickException(
            "The token is short enough to be guessed. Give one of 16 characters or more, or none."
        )
    os.environ.pop("CLEARFRAME_TOKEN", None)  # Workers inherit the rest.
    if token is None and (
        names or proxies or prefix or not is_loopback(host)
    ):  # Others reach it by a proxy, too.
        token = secrets.token_urlsafe(32)
    limits = {"IMAGE_MB": max_image_mb, "WORKER_GB": max_worker_gb, "HOURS": max_hours}
    os.environ.update(
        {f"CLEARFRAME_MAX_{name}": str(most) for name, most in limits.items()}
    )  # For jobs/core/limits.py.
    roots = tuple(root.resolve() for root in data_roots or (Path.cwd(),))
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    slots = Slots(dataset_workers, test_workers, cpu_trainings)
    try:
        database = os.environ.get("CLEARFRAME_DATABASE_URL")
        app = create_app(
            Settings(
                home.resolve(),
                roots,
                database,
                allow_user_code,
                host,
                token,
                names,
                proxies,
                prefix,
                slots,
            )
        )
    except (HomeInUse, FromTheFuture) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Clearframe is at {link(host, port, token, prefix)}")
    try:
        serve(app, host, port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used: {error.strerror}. Give another one with --port."
        ) from error
    click.echo("Stopped. Jobs that run go on.")


if __name__ == "__main__":
    main()
