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


def _checked_prefix(context: click.Context, parameter: click.Parameter, value: str) -> str:
    prefix = value.rstrip("/")
    if not PREFIX.fullmatch(prefix):
        raise click.BadParameter(
            f"{value!r} is not a URL path. Use letters, digits and . _ ~ - between slashes, "
            "such as /clearframe."
        )
    return prefix


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Any non-loopback address requires a token.",
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
    help="Folder that jobs may read; repeat for several. Default: the current folder.",
)
@click.option(
    "--max-image-mb",
    envvar="CLEARFRAME_MAX_IMAGE_MB",
    default=512,
    show_default=True,
    type=click.IntRange(min=1),
    help="Memory limit for one decoded image, in MiB. Larger images are rejected.",
)
@click.option(
    "--max-worker-gb",
    envvar="CLEARFRAME_MAX_WORKER_GB",
    default=0.0,
    show_default="no limit",
    type=click.FloatRange(min=0),
    help="Memory limit for each process of a job, in GiB. Not applied to trainings on GPUs.",
)
@click.option(
    "--max-hours",
    envvar="CLEARFRAME_MAX_HOURS",
    default=0.0,
    show_default="no limit",
    type=click.FloatRange(min=0),
    help="Time limit for each run of a job, in hours.",
)
@click.option(
    "--allow-user-code",
    is_flag=True,
    help="Let training jobs run Python files below the data roots. "
    "Anyone with access can then execute code as the server user.",
)
@click.option(
    "--token",
    envvar="CLEARFRAME_TOKEN",
    help="Access token of at least 16 characters. "
    "Default: none if only this machine has access, else a random token at each start.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="Additional host name to accept, such as that of a proxy; repeat for several.",
)
@click.option(
    "--proxies",
    default=0,
    show_default=True,
    type=click.IntRange(0, 9),
    help="Number of reverse proxies in front of the server. "
    "It trusts X-Forwarded-For, -Proto and -Host from that many.",
)
@click.option(
    "--prefix",
    default="",
    callback=_checked_prefix,
    metavar="/PATH",
    help="URL path under which a proxy serves the application: "
    "/clearframe for https://clips.example/clearframe/.",
)
@click.option(
    "--dataset-workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Maximum number of datasets created at the same time.",
)
@click.option(
    "--test-workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Maximum number of tests run at the same time.",
)
@click.option(
    "--cpu-trainings",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Maximum number of trainings on the CPU at the same time.",
)
@click.option(
    "--log-format",
    envvar="CLEARFRAME_LOG_FORMAT",
    default="text",
    show_default=True,
    type=click.Choice(logs.FORMATS),
    help="Format of the server's log on standard error. json: one object with fields per line.",
)
@click.option(
    "--log-level",
    envvar="CLEARFRAME_LOG_LEVEL",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning"]),
    help="info: state changes of jobs. debug: also each request.",
)
@click.option(
    "--gpus",
    metavar="0,1",
    help="GPU indices that trainings may use. Default: CUDA_VISIBLE_DEVICES, or all GPUs.",
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
    logs.configure(log_format, log_level)
    if token is not None and len(token) < 16:
        raise click.ClickException(
            "The token is too short. Use at least 16 characters, or leave --token out."
        )
    os.environ.pop("CLEARFRAME_TOKEN", None)  # Workers inherit the environment.
    # A proxy makes even a loopback address reachable from the network.
    if token is None and (names or proxies or prefix or not is_loopback(host)):
        token = secrets.token_urlsafe(32)
    limits = {"IMAGE_MB": max_image_mb, "WORKER_GB": max_worker_gb, "HOURS": max_hours}
    # jobs/core/limits.py reads these in the workers.
    os.environ.update({f"CLEARFRAME_MAX_{name}": str(limit) for name, limit in limits.items()})
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
            f"Port {port} is not available: {error.strerror}. Choose another port with --port."
        ) from error
    click.echo("Stopped. Running jobs continue.")


if __name__ == "__main__":
    main()
