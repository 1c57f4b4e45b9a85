"""Progress and messages of a job on stderr: a line that is redrawn in a terminal, else lines."""

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
        self._redraws = sys.stderr.isatty()
        self._drawn = False
        self._last = -1

    def show(self, event: "JobEvent") -> None:
        if event["type"] == "message":
            self.say(event["text"])
        elif event["type"] == "progress":
            self.progress(event)

    def say(self, text: str) -> None:
        """Print a line above the progress."""
        click.echo(f"{self._clear()}{text}", err=True)

    def close(self) -> None:
        """End the line of the progress."""
        if self._drawn:
            click.echo(err=True)
            self._drawn = False

    def progress(self, fields: "Progress") -> None:
        done, total = fields["done"], fields["total"]
        if self._redraws:
            filled = WIDTH * min(done, total) // total if total else 0
            bar = f"[{'#' * filled}{'-' * (WIDTH - filled)}] " if total else ""
            click.echo(f"{self._clear()}{bar}{progress(fields)}", err=True, nl=False)
            self._drawn = True
            if done == total:
                self.close()
            return
        part = PLAIN_LINES * done // total if total else self._last + 1
        if part != self._last or done == total:
            click.echo(progress(fields), err=True)
        self._last = part

    def _clear(self) -> str:
        return "\r\x1b[K" if self._redraws else ""


def progress(fields: "Progress") -> str:
    """The progress as text: 120 of 250 frames, 41.3/s, 0:03 left"""
    total = f" of {fields['total']:,}" if fields["total"] else ""
    eta = fields["eta"]
    left = "" if eta is None else f", {int(eta) // 60}:{int(eta) % 60:02d} left"
    return f"{fields['done']:,}{total} {fields['unit']}, {fields['rate']:.1f}/s{left}"
