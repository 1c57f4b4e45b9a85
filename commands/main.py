"""`clearframe`: the functions of the web pages as shell commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, cast

import click

COMMANDS = {
    "dataset": ("commands.dataset", "dataset", "Create datasets of (decoded, original) pairs."),
    "doctor": ("commands.doctor", "doctor", "Check devices, codecs, disk and limits."),
    "export": (
        "commands.export",
        "export",
        "Export a snapshot as ONNX, TorchScript or torch.export, "
        "and compare its output with torch.",
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
}
"""By name: the module of a command, its attribute there, the first sentence of its help."""


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
        with refusals_as_sentences():
            return super().invoke(ctx)


@click.group(cls=LazyGroup, commands=[Entry(name, *entry) for name, entry in COMMANDS.items()])
def main() -> None:
    """Remove compression artifacts from images and video."""


if __name__ == "__main__":
    main()
