"""Presets of the training form: settings that belong together."""

from dataclasses import dataclass

from app.forms.fields import Values
from app.forms.restoring import facts_of
from jobs.specs.networks import Start


@dataclass(frozen=True)
class Preset:
    title: str
    about: str
    values: Values


def _gain(starter: Start) -> str:
    return f"+{facts_of(starter).gain:.2f} dB of Y at QP 37 before any training"


def _fine_tuning(title: str, starter: Start, depth: int, maps: int, about: str) -> Preset:
    """A minute of training from a starter of this shape."""
    values: Values = {
        "network": {"name": "ecbnet", "start": "starter", "depth": depth, "maps": maps},
        "channels": "y",
        "loss": {"name": "l2"},
        "lr_policy": {"name": "cosine"},
        "minutes": 1,
    }
    return Preset(title, f"{about}, from a trained network: {_gain(starter)}. A minute.", values)


PRESETS = {
    "example": Preset(
        "Example",
        "The network, loss and rate of the example of DIGITS: SRCNN 9-1-5, L1, from a trained "
        f"network: {_gain('example')}.",
        {"network": {"name": "srcnn-9-1-5", "start": "starter"}},
    ),
    "fast": _fine_tuning("Fast", "fast", 4, 16, "Small"),
    "best": _fine_tuning("Best", "good", 8, 24, "Six times as large"),
}

SAMPLE = "fast"
"""The preset of trainings on the sample clip: its first validation shows a gain, and a minute adds
half a decibel on two cores."""
