"""Rate-distortion curves of pairs whose sequences were coded at several rates."""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from jobs.core.types.rates import RateCurve, RateDistortion, RatePoint
from jobs.datasets.pair_sets import PairSet, Stream
from jobs.media.rate_distortion import LEAST_POINTS, bd_rate

MOST_CURVES = 20
"""Curves that are logged; the mean is over all."""


Sums = NDArray[np.float64]


class Rates:
    """The mean PSNR of inputs and outputs per stream, of scenes with LEAST_POINTS streams or more.

    `sums`: float64 (streams, 3), the sums of input and output in dB, and the number of pairs.
    """

    def __init__(self, pairs: PairSet) -> None:
        unique = sorted({stream for stream in pairs.streams if stream is not None})
        counts = Counter(stream[:2] for stream in unique)
        self._streams = [stream for stream in unique if counts[stream[:2]] >= LEAST_POINTS]
        places = {stream: place for place, stream in enumerate(self._streams)}
        self._places = [None if stream is None else places.get(stream) for stream in pairs.streams]
        self.sums: Sums = np.zeros((len(self._streams), 3))

    def clear(self) -> None:
        self.sums = np.zeros_like(self.sums)

    def add(self, pair: int, psnr_input: float | None, psnr_output: float | None) -> None:
        """Add the PSNR of a pair. A pair with only one finite PSNR, or none, is left out."""
        place, scores = self._places[pair], (psnr_input, psnr_output)
        if place is not None and all(score and math.isfinite(score) for score in scores):
            self.sums[place] += (*scores, 1)

    def curves(self) -> RateDistortion | None:
        """The curves of the pairs so far; None if no scene has enough streams with pairs."""
        return curves_of(self._streams, self.sums)


def curves_of(streams: list[Stream], sums: Sums) -> RateDistortion | None:
    """The curves of streams with the `sums` of Rates; None if no scene has LEAST_POINTS of them."""
    scenes: dict[tuple[str, str], list[RatePoint]] = {}
    for stream, (input, output, count) in zip(streams, sums.tolist(), strict=True):
        if count:
            point: RatePoint = {
                "rate": stream.rate,
                "bits": stream.bits,
                "psnr_input": input / count,
                "psnr_output": output / count,
            }
            scenes.setdefault(stream[:2], []).append(point)
    curves = [
        _curve(scene, points)
        for (_, scene), points in scenes.items()
        if len(points) >= LEAST_POINTS
    ]
    if not curves:
        return None
    known = [curve["bd_rate"] for curve in curves if curve["bd_rate"] is not None]
    return {
        "bd_rate": sum(known) / len(known) if known else None,
        "scenes": len(curves),
        "curves": curves[:MOST_CURVES],
    }


def _curve(scene: str, points: list[RatePoint]) -> RateCurve:
    points = sorted(points, key=lambda point: point["bits"])
    before = [(point["bits"], point["psnr_input"]) for point in points]
    after = [(point["bits"], point["psnr_output"]) for point in points]
    return {"scene": scene, "bd_rate": bd_rate(before, after), "points": points}


def scene_names(scenes: Iterable[str]) -> dict[str, str]:
    """A short name of each scene, given the paths of its originals; equal names get a number."""
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for scene in dict.fromkeys(scenes):
        name = scene.rstrip("/").rsplit("/", 1)[-1]
        seen[name] += 1
        names[scene] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names
