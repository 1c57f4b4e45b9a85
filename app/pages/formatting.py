"""Numbers in words, as pages show them before any script has run.

static/js/base/format.js says the same, and tests/support/formatting.json holds both to it.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2 import Undefined

from jobs.core.view import gain_of

DASH = "–"
LEAST_GAIN = 0.005
"""dB; less is none, as it is shown."""
NOTHING_YET = {
    "waiting": "It has not begun yet.",
    "running": "Nothing validated yet: the first numbers come with the first epoch.",
}


def decibel(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f} dB"


def gain(value: float | None) -> str:
    if value is None or abs(value) < LEAST_GAIN:
        return DASH if value is None else "0.00 dB"
    return f"{'−' if value < 0 else '+'}{abs(value):.2f} dB"


def count(value: float | None) -> str:
    return DASH if value is None else f"{round(value):,}"


def small(value: float | None) -> str:
    """Three significant digits: 0.0182, 3.14, 1.2e-7."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e5:
        digits, power = f"{value:.1e}".split("e")
        return f"{digits}e{int(power):+d}"
    rounded = float(f"{value:.3g}")
    return str(int(rounded)) if rounded.is_integer() else str(rounded)


def loss(value: float | None) -> str:
    """Four significant digits, none left out, so that a column of them lines up: 0.02300."""
    return small(value) if not value or abs(value) < 1e-4 else f"{value:#.4g}".rstrip(".")


def similarity(value: float | None) -> str:
    """SSIM"""
    return DASH if value is None else f"{value:.4f}"


def similarity_gain(value: float | None) -> str:
    """SSIM of one over another: +0.0123"""
    if value is None:
        return DASH
    return f"{'' if abs(value) < 5e-5 else '−' if value < 0 else '+'}{abs(value):.4f}"


def epoch(value: float | None) -> str:
    """Whole ones as they are, others with two decimals: 1,997 or 1.67."""
    if value is None:
        return DASH
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def seconds(value: float | None) -> str:
    if value is None:
        return DASH
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


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


def progress(told: dict[str, Any] | None) -> str:
    """ "48 of 96 steps · 130 steps/s · 1 s left" """
    if not told:
        return ""
    unit = told["unit"]
    words = [
        f"{count(told['done'])} of {count(told['total'])} {unit}"
        if told["total"]
        else f"{count(told['done'])} {unit}"
    ]
    if told.get("rate"):
        words.append(f"{small(told['rate'])} {unit}/s")
    if told.get("eta") is not None:
        words.append(f"{seconds(told['eta'])} left")
    return " · ".join(words)


def hardware(told: dict[str, Any] | None) -> str:
    """ "97 % of the GPU · 8.2 GB of 84.9 GB" """
    if not told:
        return ""
    words = []
    for gpu in told["gpus"]:
        if gpu.get("utilisation") is not None:
            words.append(f"{round(gpu['utilisation'])} % of the GPU")
        if gpu.get("memory_used") is not None:
            words.append(f"{size(gpu['memory_used'])} of {size(gpu['memory_total'])}")
    return " · ".join(words) or f"{round(told['cpu'])} % of a core"


def verdict(best: dict[str, Any] | None, state: str = "running") -> str:
    """What a model achieved; `best` is the snapshot with the lowest validation loss."""
    if not best or best.get("val/l1") is None:
        return NOTHING_YET.get(
            state, "It ended before anything was kept: there is nothing to test."
        )
    by = gain_of(best)
    if by is None:
        return "The inputs of the validation equal their originals: there is nothing to gain."
    numbers = f"{best['val/psnr_input']:.2f} → {best['val/psnr']:.2f}"
    if by >= LEAST_GAIN:
        return f"{gain(by)} over its input ({numbers}), best at epoch {epoch(best['epoch'])}"
    return f"Not better than its input{'' if state == 'done' else ' yet'} ({numbers} dB)"


def offer(app: Flask) -> None:
    """To the templates, by the names they have here."""
    said = (
        decibel,
        gain,
        count,
        small,
        loss,
        similarity,
        similarity_gain,
        epoch,
        seconds,
        size,
        progress,
        hardware,
        gain_of,
        verdict,
    )
    app.jinja_env.globals["words"] = {one.__name__: _of_what_may_be_missing(one) for one in said}


def _of_what_may_be_missing(say: Callable[..., Any]) -> Callable[..., Any]:
    """Templates have a kind of None of their own for what is not there."""
    return lambda value, *more: say(None if isinstance(value, Undefined) else value, *more)
