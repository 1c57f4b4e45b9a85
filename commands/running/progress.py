"""Progress and messages of a job on stderr: a bar in a terminal, else lines."""

import atexit
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jobs.core.types.events import JobEvent
    from jobs.core.types.load import Progress

WIDTH = 24
PLAIN_LINES = 10
"""Lines from the beginning to the end of a job where there is no terminal."""


class ProgressLine:
    """Shows the events of a job as they come."""

    def __init__(self) -> None:
        self._bar = Bar() if sys.stderr.isatty() else None
        self._last = -1
        self._done = -1

    def show(self, event: "JobEvent") -> None:
        if event["type"] == "message":
            self.say(event["text"])
        elif event["type"] == "progress":
            self.progress(event)

    def say(self, text: str) -> None:
        """Print a line above the progress."""
        if self._bar is None:
            click.echo(text, err=True)
        else:
            self._bar.say(text)

    def close(self) -> None:
        """End the line of the progress."""
        if self._bar is not None:
            self._bar.close()

    def progress(self, fields: "Progress") -> None:
        done, total = fields["done"], fields["total"]
        if self._bar is not None:
            self._bar.draw(done, total, progress(fields))
            if done == total:
                self.close()
            return
        part = PLAIN_LINES * done // total if total else self._last + 1
        if done != self._done and (part != self._last or done == total):
            click.echo(progress(fields), err=True)
        self._last, self._done = part, done


class Bar:
    """A bar of rich, drawn when there is something new: rich's own thread would draw more often."""

    def __init__(self) -> None:
        # In a terminal only: scripts need not wait for the import.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._shown = Progress(
            BarColumn(WIDTH),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._task = self._shown.add_task("", total=None)
        atexit.register(self.close)  # A command that is interrupted must show the cursor again.

    def draw(self, done: int, total: int | None, text: str) -> None:
        self._shown.start()
        self._shown.update(self._task, completed=done, total=total, description=text, refresh=True)

    def say(self, text: str) -> None:
        self._shown.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._shown.stop()


def progress(fields: "Progress") -> str:
    """The progress as text: 120 of 250 frames, 41.3/s, 0:03 left"""
    total = f" of {fields['total']:,}" if fields["total"] else ""
    eta = fields["eta"]
    left = "" if eta is None else f", {int(eta) // 60}:{int(eta) % 60:02d} left"
    return f"{fields['done']:,}{total} {fields['unit']}, {fields['rate']:.1f}/s{left}"
