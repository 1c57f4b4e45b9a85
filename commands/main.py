"""`clearframe`: the functions of the web pages as shell commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, cast

import click

COMMANDS = {
    "compare": (
        "commands.managing.compare",
        "compare",
        "Compare models: the settings in which they differ, and their best scores.",
    ),
    "dataset": (
        "commands.dataset",
        "dataset",
        "Create, export and import datasets of (decoded, original) pairs.",
    ),
    "demo": (
        "commands.demo",
        "demo",
        "Create a dataset, train on it, test an image, and print the results.",
    ),
    "doctor": ("commands.doctor", "doctor", "Check devices, codecs, disk and limits."),
    "export": (
        "commands.export",
        "export",
        "Export a snapshot to ONNX, TorchScript, torch.export, safetensors or an mpv shader.",
    ),
    "jobs": (
        "commands.managing.jobs",
        "jobs",
        "List, show, follow, abort, resume, extend, pin and delete jobs.",
    ),
    "probe": (
        "commands.managing.probe",
        "probe",
        "Look at the sources of a dataset: whether both sides belong together, and the first pair.",
    ),
    "restore": (
        "commands.restore",
        "restore",
        "Restore a video, an H.264 stream, an image or a folder of images.",
    ),
    "serve": ("commands.server_process", "serve", "Start the server."),
    "test": (
        "commands.test",
        "test",
        "Test a model: restore images or video, and measure the result.",
    ),
    "train": (
        "commands.train",
        "train",
        "Train a network on a dataset, for example: --dataset ID --name first.",
    ),
    "upload": (
        "commands.managing.upload",
        "upload",
        "Upload files and folders to a server, and print their paths there, for other commands.",
    ),
}
"""By name: the module of a command, its attribute there, the first sentence of its help."""


FOR_ALL = ("server", "home", "token")
"""Settings of the file that several commands have; the environment overrides them."""
INTERRUPTED = 130
"""The exit status after Ctrl-C, as of a shell: 128 and the number of SIGINT."""


class Entry(click.Command):
    """A command in the list of commands. Its module is imported when it is called."""

    def __init__(self, name: str, module: str, attribute: str, help: str) -> None:
        super().__init__(name, help=help)
        self.module = module
        self.attribute = attribute

    def load(self) -> click.Command:
        return cast(click.Command, getattr(import_module(self.module), self.attribute))


@contextmanager
def refusals_as_sentences() -> Iterator[None]:
    """Give errors of a disk or of permissions as a sentence. Raises click.ClickException."""
    try:
        yield
    except OSError as error:
        from jobs.core.errors import refused

        if not (sentence := refused(error)):
            raise
        raise click.ClickException(sentence) from error


def with_settings(command: click.Command, settings: Any, args: list[str]) -> list[str]:
    """The arguments of a command with options from its table in the file of settings.

    They come first, so options that are typed override them.
    """
    position = 0
    while isinstance(command, click.Group) and position < len(args):
        subcommand = command.commands.get(args[position])
        if subcommand is None:
            return args
        command, settings = subcommand, settings.get(args[position], {})
        position += 1
    options: list[str] = []
    for key, value in settings.items():
        name = key.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
        elif not isinstance(value, dict):
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            options += [f"--{name}", text]
    return [*args[:position], *options, *args[position:]]


def read_settings(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Read the file of --config: tables are options of commands, the rest is for all of them."""
    if path is None:
        return
    import os
    import tomllib

    try:
        with open(path, "rb") as file:
            settings = tomllib.load(file)
    except OSError as error:
        raise click.UsageError(f"--config: {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise click.UsageError(f"--config: {path} is not a TOML file: {error}.") from error
    for key, value in settings.items():
        if key in COMMANDS and isinstance(value, dict):
            continue
        if key not in FOR_ALL or not isinstance(value, str):
            raise click.UsageError(
                f"--config: Unknown setting {key!r} in {path}. It may have "
                f"{', '.join(FOR_ALL)} as texts, and a table for each command, such as [train]."
            )
        os.environ.setdefault(f"CLEARFRAME_{key.upper()}", value)
    ctx.obj = settings


class LazyGroup(click.Group):
    """A group of entries. Help, completion and suggestions read the entries only."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        command = command.load() if isinstance(command, Entry) else command
        if name is not None and command is not None and ctx.obj:
            rest = with_settings(command, ctx.obj.get(name, {}), rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with refusals_as_sentences():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None


@click.group(cls=LazyGroup, commands=[Entry(name, *entry) for name, entry in COMMANDS.items()])
@click.option(
    "--config",
    type=click.Path(),
    envvar="CLEARFRAME_COMMANDS",
    is_eager=True,
    expose_value=False,
    callback=read_settings,
    help="TOML file with server, home and token, and a table with options for each command.",
)
@click.version_option(package_name="clearframe", message="%(prog)s %(version)s")
def main() -> None:
    """Remove compression artifacts from images and video.

    Results go to stdout, everything else to stderr. Commands that create a job print its id first;
    --json prints one JSON document instead. The exit status is 0 when the work is done, 1 if it
    failed, 2 for an option or a value that is wrong (nothing was started), and 130 after Ctrl-C.
    """


if __name__ == "__main__":
    main()
