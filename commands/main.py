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
    "dataset": ("commands.dataset", "dataset", "Create datasets of (decoded, original) pairs."),
    "doctor": ("commands.doctor", "doctor", "Check devices, codecs, disk and limits."),
    "export": (
        "commands.export",
        "export",
        "Export a snapshot as ONNX, TorchScript or torch.export, "
        "and compare its output with torch.",
    ),
    "jobs": (
        "commands.managing.jobs",
        "jobs",
        "List, show, follow, abort, resume, extend and delete jobs.",
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


class LazyGroup(click.Group):
    """A group of entries. Help, completion and suggestions read the entries only."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Entry) else command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with refusals_as_sentences():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None


@click.group(cls=LazyGroup, commands=[Entry(name, *entry) for name, entry in COMMANDS.items()])
@click.version_option(package_name="clearframe", message="%(prog)s %(version)s")
def main() -> None:
    """Remove compression artifacts from images and video.

    Results go to stdout, everything else to stderr. Commands that create a job print its id first;
    --json prints one JSON document instead. The exit status is 0 when the work is done, 1 if it
    failed, 2 for an option or a value that is wrong (nothing was started), and 130 after Ctrl-C.
    """


if __name__ == "__main__":
    main()
