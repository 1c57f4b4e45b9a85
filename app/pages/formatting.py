"""Numbers and results as text, for the templates.

static/js/base/format.js must give the same texts; tests/support/formatting.json checks both.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2 import Undefined

from app.forms.help import FORMS
from jobs.core.totals import LEAST_GAIN
from jobs.core.types.load import Progress, ShownHardware
from jobs.core.types.summaries import Snapshot
from jobs.core.view import best_of, gain_of

DASH = "–"
LEAST_PERCENT = 0.05
"""A smaller BD-rate counts as none: it is shown as 0.0 %."""
NO_RESULT = {
    "waiting": "Not started yet.",
    "running": "Not validated yet.",
}


def with_minus(text: str) -> str:
    """A number's text with the minus sign of print, which is as wide as a plus: −0.02, 1.2e−7."""
    return text.replace("-", "−")


def psnr(value: float | None) -> str:
    """In dB, without the unit, which the heading of the column or the sentence has."""
    return DASH if value is None else with_minus(f"{value:.2f}")


def decibel(value: float | None) -> str:
    return DASH if value is None else f"{psnr(value)} dB"


def gain(value: float | None) -> str:
    if value is None or abs(value) < LEAST_GAIN:
        return DASH if value is None else "0.00 dB"
    return f"{'−' if value < 0 else '+'}{abs(value):.2f} dB"


def count(value: float | None) -> str:
    return DASH if value is None else with_minus(f"{round(value):,}")


def small(value: float | None) -> str:
    """Three significant digits: 0.0182, 3.14, 1.2e−7."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e5:
        digits, power = f"{value:.1e}".split("e")
        return with_minus(f"{digits}e{int(power):+d}")
    rounded = float(f"{value:.3g}")
    return with_minus(str(int(rounded)) if rounded.is_integer() else str(rounded))


def loss(value: float | None) -> str:
    """Four significant digits with trailing zeros, so that a column lines up: 0.02300."""
    if not value or abs(value) < 1e-4:
        return small(value)
    return with_minus(f"{value:#.4g}".rstrip("."))


def similarity(value: float | None) -> str:
    """SSIM"""
    return DASH if value is None else with_minus(f"{value:.4f}")


def similarity_gain(value: float | None) -> str:
    """Difference of two SSIM values: +0.0123"""
    if value is None:
        return DASH
    return f"{'' if abs(value) < 5e-5 else '−' if value < 0 else '+'}{abs(value):.4f}"


def improvement(before: float, after: float) -> str:
    """The result of a test in a sentence, from the PSNR of its input and output in dB."""
    gained = after - before
    numbers = f"({psnr(before)} → {psnr(after)})"
    if abs(gained) < LEAST_GAIN:
        return f"As good as the input {numbers}"
    if gained < 0:
        return f"{decibel(-gained)} worse than the input {numbers}"
    return f"{gain(gained)} better than the input {numbers}"


def milliseconds(value: float) -> str:
    """A short duration in seconds: 84 ms, 1.24 s."""
    return f"{round(1000 * value)} ms" if value < 1 else f"{value:.2f} s"


def epoch(value: float | None) -> str:
    """Whole epochs without decimals, fractions with at most two: 1,997 or 1.67."""
    if value is None:
        return DASH
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def seconds(value: float | None) -> str:
    if value is None:
        return DASH
    rounded = round(value)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60}:{rounded % 60:02d} min"
    return f"{rounded // 3600}:{rounded % 3600 // 60:02d} h"


def size(value: float | None) -> str:
    """Bytes: 16.6 MB."""
    if value is None:
        return DASH
    units = ["B", "kB", "MB", "GB", "TB"]
    power = 0
    while value >= 1000 and power < len(units) - 1:
        value /= 1000
        power += 1
    return (
        f"{value:.1f} {units[power]}" if power and value < 100 else f"{round(value)} {units[power]}"
    )


def time_left(value: float) -> str:
    """The estimated seconds that are left: "about 40 s left", "about 13 min left"."""
    if value < 5:
        return "a few seconds left"
    if value < 57.5:
        return f"about {5 * math.floor(value / 5 + 0.5)} s left"
    if value < 3570:
        return f"about {max(math.floor(value / 60 + 0.5), 1)} min left"
    return f"about {math.floor(value / 360 + 0.5) / 10:,g} h left"


def ago(then: float, now: float) -> str:
    """The age of a time, both in seconds since the epoch: "just now", "3 min ago"."""
    passed = now - then
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{math.floor(passed / 60)} min ago"
    if passed < 86400:
        return f"{math.floor(passed / 3600)} h ago"
    days = math.floor(passed / 86400)
    return f"{days} day{'' if days == 1 else 's'} ago"


def share(event: Progress | None) -> float | None:
    """The share that is done, 0 to 1; None if the length is unknown."""
    if not event:
        return None
    elapsed = event.get("share")
    if elapsed is not None:
        return elapsed
    return event["done"] / event["total"] if event["total"] else None


def progress(event: Progress | None) -> str:
    """A `progress` event: "Training · 48 of 96 steps · 130 steps/s · about 40 s left"."""
    if not event:
        return ""
    unit, phase = event["unit"], event.get("phase", "")
    parts = [phase.capitalize()] if phase else []
    if event["done"] or event["total"] or not phase:
        parts.append(
            f"{count(event['done'])} of {count(event['total'])} {unit}"
            if event["total"]
            else f"{count(event['done'])} {unit.removesuffix('s') if event['done'] == 1 else unit}"
        )
    if event.get("rate"):
        parts.append(f"{small(event['rate'])} {unit}/s")
    if (eta := event.get("eta")) is not None:
        parts.append(time_left(eta))
    return " · ".join(parts)


def hardware(event: ShownHardware | None) -> str:
    """A `hardware` event: "97 % of the GPU · 8.2 GB of 84.9 GB"."""
    if not event:
        return ""
    parts = []
    for gpu in event["gpus"]:
        if (load := gpu.get("utilisation")) is not None:
            parts.append(f"{round(load)} % of the GPU")
        if gpu.get("memory_used") is not None:
            parts.append(f"{size(gpu['memory_used'])} of {size(gpu['memory_total'])}")
    return " · ".join(parts) or f"{round(event['cpu'])} % of a core"


LEADS = {"loss": "lowest validation loss", "psnr": "highest PSNR"}
"""What the best snapshot has, by the `leader` of its training."""


def verdict(best: Snapshot | None, state: str = "running", leader: str = "loss") -> str:
    """The headline of a model's page: the result of its training as a sentence."""
    if not best or best.get("val/l1") is None:
        return NO_RESULT.get(state, "The training ended before a snapshot was validated.")
    gained = gain_of(best)
    if gained is None:
        return "Validation inputs equal their originals: no gain is possible."
    numbers = f"{psnr(best['val/psnr_input'])} → {psnr(best['val/psnr'])} dB"
    if gained >= LEAST_GAIN:
        place = f"{LEADS[leader]}, at epoch {epoch(best['epoch'])}"
        return f"{gain(gained)} over the input ({numbers}): {place}"
    return f"Not better than the input{'' if state == 'done' else ' yet'} ({numbers})"


def bits_saved(bd_rate: float | None) -> str:
    """A BD-rate as a sentence: a share, and below 0 fewer bits for the same PSNR."""
    if bd_rate is None:
        return "no BD-rate, since the curves have no PSNR in common"
    percents = 100 * abs(bd_rate)
    if percents < LEAST_PERCENT:
        return "the same quality at the same bits"
    return f"the same quality at {percents:.1f} % {'fewer' if bd_rate < 0 else 'more'} bits"


def marks(snapshots: list[Snapshot] | None) -> dict[str, str]:
    """What snapshots lead in, by name: two if one has the lowest loss, another the highest PSNR."""
    if not snapshots or all(saved.get("val/l1") is None for saved in snapshots):
        return {}
    lowest, sharpest = best_of(snapshots), best_of(snapshots, "psnr")
    if sharpest.get("val/psnr") == lowest.get("val/psnr"):
        return {lowest["snapshot"]: "best"}
    return {sharpest["snapshot"]: "highest PSNR", lowest["snapshot"]: "lowest loss"}


def init_app(app: Flask) -> None:
    """Make the functions available to the templates as `format.NAME`, and the time as `now()`."""
    app.jinja_env.globals["now"] = time.time
    functions = (
        psnr,
        decibel,
        gain,
        count,
        small,
        loss,
        similarity,
        similarity_gain,
        improvement,
        milliseconds,
        epoch,
        seconds,
        size,
        time_left,
        ago,
        share,
        progress,
        hardware,
        gain_of,
        bits_saved,
        verdict,
        marks,
    )
    app.jinja_env.globals["help_pages"] = FORMS
    app.jinja_env.globals["format"] = {
        function.__name__: _undefined_as_none(function) for function in functions
    }


def _undefined_as_none(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with Jinja's Undefined, which stands for missing values, passed as None."""
    return lambda *values: function(
        *(None if isinstance(value, Undefined) else value for value in values)
    )
