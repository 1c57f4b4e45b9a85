"""Filters that need no training, to compare a network with: ffmpeg's spp and nlmeans, and BM3D.

Each filters Y (BT.601) at its best setting; the change of Y is added to R, G and B, so that the
colour stays. FFmpeg has spp only in builds under the GPL; the wheels of PyAV are none. BM3D is the
package `bm3d`, for non-commercial use only by its licence: `pip install 'clearframe[baselines]'`.
"""

import importlib.util
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean

import av
import numpy as np
from av.filter import Graph, filters_available

from jobs.core.report import finite
from jobs.core.types.facts import FilterFacts
from jobs.core.types.samples import ResultRow
from jobs.media.images import Picture, to_gray
from jobs.media.quality import psnr

SETTINGS = {
    "spp": tuple(f"quality=6:qp={qp}:mode=hard" for qp in (3, 5, 8, 12)),
    "nlmeans": tuple(f"s={strength}:p=3:r=7" for strength in (1, 1.5, 2, 3, 4, 6)),
    "bm3d": ("2.5", "5", "8", "12"),
}
"""The settings that are tried, by filter; of BM3D the standard deviation of the noise in levels."""
TUNING_PAIRS = 4
"""Pairs on which the settings are tried: BM3D takes 51 µs of processor time per pixel."""

Pair = tuple[Picture, Picture]
"""A damaged picture and its ground truth."""


@dataclass(frozen=True)
class Filter:
    name: str
    setting: str

    def __call__(self, picture: Picture) -> Picture:
        """A filtered picture, uint8 (H, W, C), of the same shape."""
        before = to_gray(picture, "BT.601")
        luma = before[:, :, 0]
        if self.name == "bm3d":
            after = _bm3d(luma, float(self.setting))
        else:
            after = _ffmpeg(luma, self.name, self.setting)
        change = after.astype(np.int16)[:, :, None] - before
        return (picture + change).clip(0, 255).astype(np.uint8)


def missing() -> dict[str, str]:
    """Filters that this machine lacks, each with the reason."""
    why = {
        name: f"the FFmpeg of PyAV has no {name}"
        + (": it needs a build under the GPL" if name == "spp" else "")
        for name in SETTINGS
        if name != "bm3d" and name not in filters_available
    }
    if importlib.util.find_spec("bm3d") is None:
        why["bm3d"] = "the package bm3d is not installed: pip install 'clearframe[baselines]'"
    return why


class Baselines:
    """The filters at their best setting, and their gains over the pictures so far."""

    def __init__(self, pairs: Iterable[Pair], check: Callable[[], None]) -> None:
        """Try the settings on pairs; `check` may raise an error to stop."""
        self._missing, tried = missing(), list(pairs)
        names = [name for name in SETTINGS if name not in self._missing]
        self._filters = [_best(name, tried, check) for name in names]
        self._gains: dict[str, list[float]] = {name: [] for name in names}

    def gains_of(self, input: Picture, target: Picture) -> dict[str, float | None]:
        """The gain of each filter in dB; None where it is not finite."""
        return {filter.name: finite(_gain(filter, input, target)) for filter in self._filters}

    def count(self, row: ResultRow) -> None:
        """Add the gains of a row to the means."""
        for name, gain in row.get("filters", {}).items():
            if gain is not None and name in self._gains:
                self._gains[name].append(gain)

    def facts(self) -> list[FilterFacts]:
        """The filters with the mean gains so far, then those that are missing."""
        means = {name: fmean(gains) if gains else None for name, gains in self._gains.items()}
        here: list[FilterFacts] = [
            {"name": filter.name, "setting": filter.setting, "gain": means[filter.name], "why": ""}
            for filter in self._filters
        ]
        return here + [
            {"name": name, "setting": "", "gain": None, "why": why}
            for name, why in self._missing.items()
        ]


def _best(name: str, pairs: list[Pair], check: Callable[[], None]) -> Filter:
    """The filter with the largest mean gain."""

    def mean_gain(filter: Filter) -> float:
        gains = []
        for input, target in pairs:
            check()
            gains.append(_gain(filter, input, target))
        known = [gain for gain in gains if math.isfinite(gain)]
        return fmean(known) if known else 0.0

    return max((Filter(name, setting) for setting in SETTINGS[name]), key=mean_gain)


def _gain(filter: Filter, input: Picture, target: Picture) -> float:
    return psnr(filter(input), target) - psnr(input, target)


def _bm3d(luma: Picture, sigma: float) -> Picture:
    import bm3d

    filtered = bm3d.bm3d(luma.astype(np.float64) / 255, sigma / 255)
    rounded: Picture = (filtered.clip(0, 1) * 255).round().astype(np.uint8)
    return rounded


def _ffmpeg(luma: Picture, name: str, setting: str) -> Picture:
    """A plane, uint8 (H, W), through a filter of FFmpeg."""
    height, width = luma.shape
    graph = Graph()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    source = graph.add_buffer(
        width=width, height=height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add(name, setting), graph.add("buffersink")).configure()
    graph.push(frame)
    graph.push(None)
    filtered = graph.pull()
    assert isinstance(filtered, av.VideoFrame)
    return filtered.to_ndarray().astype(np.uint8)
