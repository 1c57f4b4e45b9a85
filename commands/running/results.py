"""What a command that creates jobs prints to stdout: ids and short summaries, or JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

Job = Mapping[str, Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@dataclass
class Results:
    """The jobs of a command. `several`: JSON is a list of them, else the only one.

    `file`: where a person opens a file of a job, by its URL in the summary.
    """

    as_json: bool
    several: bool = False
    file: Callable[[str], str] = str
    _jobs: list[Job] = field(default_factory=list)

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        """Print the JSON document, also of the jobs before one that failed."""
        if self.as_json and self._jobs:
            print_json(self._jobs if self.several else self._jobs[0])

    def created(self, id: str) -> None:
        """Print the id at once, so that a script has it however the command ends."""
        if not self.as_json:
            click.echo(id)

    def ended(self, job: Job) -> None:
        """Print the summary of a job, now or within the JSON document."""
        if self.as_json:
            self._jobs.append(job)
        else:
            for line in summary_lines(job, self.file):
                click.echo(line)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


def summary_lines(job: Job, file: Callable[[str], str]) -> list[str]:
    """The result of a job for a person, in a few lines; `file` as of Results."""
    summary = job["summary"]
    lines = {"dataset": _dataset, "model": _model, "test": _test}[job["kind"]](summary)
    if output := summary.get("file") or summary.get("output"):
        lines.append(f"output: {file(output)}")
    state = job["state"] if job["state"] != "error" else "failed"
    return lines if state == "done" else [f"{job['name']}: {state}", *lines]


def _dataset(summary: Mapping[str, Any]) -> list[str]:
    pairs = summary.get("pairs")
    if not pairs:
        return []
    parts = ", ".join(f"{split} {count:,}" for split, count in pairs.items())
    text = f"{sum(pairs.values()):,} pairs ({parts})"
    if "width" in summary:
        text += f" of {summary['width']}×{summary['height']}"
    return [text + (f", input {_db(summary['psnr_input'])}" if "psnr_input" in summary else "")]


def _model(summary: Mapping[str, Any]) -> list[str]:
    best = summary.get("best")
    if not best:
        return []
    scores = _gain(best.get("val/psnr_input"), best.get("val/psnr"))
    return [f"best: {best['snapshot']}, validation {scores}"]


def _test(summary: Mapping[str, Any]) -> list[str]:
    lines = []
    if "images" in summary:
        lines.append(f"{summary['images']:,} images")
    if "frames" in summary:
        lines.append(f"{summary['frames']:,} frames")
    means = summary.get("mean") or summary
    if means.get("psnr_output") is not None:
        lines.append(_gain(means.get("psnr_input"), means["psnr_output"]))
    for name, label, unit in (("vmaf", "VMAF", ""), ("fluctuation", "fluctuation", " dB")):
        if both := summary.get(name):
            lines.append(f"{label} {both['output']:.2f}{unit}, input {both['input']:.2f}{unit}")
    return lines


def _gain(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return f"PSNR {_db(after)}"
    return f"PSNR {_db(after)}, input {_db(before)} ({after - before:+.2f} dB)"


def _db(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.2f} dB"


def table(rows: list[list[str]]) -> None:
    """Print rows with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
