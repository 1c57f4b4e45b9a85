"""Totals over many restored images: means, medians and the distribution of the gain.

Light: the server imports it.
"""

import math
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable
from statistics import fmean, pstdev
from typing import Literal

from jobs.core.report import finite
from jobs.core.types.facts import GainTotals, ManyFacts
from jobs.core.types.layers import Histogram
from jobs.core.types.samples import BeforeAfter, ResultRow, Scores

Score = Literal["psnr_input", "psnr_output", "ssim_input", "ssim_output"]
PSNRS: tuple[Score, Score] = ("psnr_input", "psnr_output")
SSIMS: tuple[Score, Score] = ("ssim_input", "ssim_output")
LEAST_GAIN = 0.005
"""dB. A smaller gain counts as none: it is displayed as 0.00 dB."""
BARS = 24
ROUND_STEPS = (1, 2, 5)


def is_measured(row: ResultRow) -> bool:
    """Whether the image was compared with a ground truth."""
    return "pair" in row or row.get("target") is not None


def gain_of_image(row: ResultRow) -> float:
    """PSNR of the output minus PSNR of the input, in dB.

    Infinite if only one of the two equals the ground truth, and NaN without a ground truth.
    """
    if not is_measured(row):
        return math.nan
    # JSON has no infinity: the PSNR of equal images is null.
    before, after = (math.inf if (value := row[key]) is None else value for key in PSNRS)
    return 0.0 if before == after else after - before


class Totals:
    """Totals over images, which keep at most five numbers per image."""

    def __init__(self) -> None:
        self._restored = self._failed = self._measured = self._better = self._worse = 0
        self._gains = array("d")
        self._infinite = {-math.inf: 0, math.inf: 0}
        self._scores = {key: array("d") for key in (*PSNRS, *SSIMS)}

    @property
    def restored(self) -> int:
        return self._restored

    def add(self, row: ResultRow) -> None:
        if "why" in row:
            self._failed += 1
            return
        self._restored += 1
        if not is_measured(row):
            return
        gain = gain_of_image(row)
        self._measured += 1
        self._better += gain >= LEAST_GAIN
        self._worse += gain <= -LEAST_GAIN
        if math.isfinite(gain):
            self._gains.append(gain)
        else:
            self._infinite[gain] += 1
        for before, after in (PSNRS, SSIMS):
            # An image with only one of the two scores is left out of both means: they stay
            # comparable.
            if (score_before := row[before]) is not None and (
                score_after := row[after]
            ) is not None:
                self._scores[before].append(score_before)
                self._scores[after].append(score_after)

    def facts(self) -> ManyFacts:
        """The fields of a `facts` event."""
        return {
            "images": self._restored,
            "failed": self._failed,
            "measured": self._measured,
            "better": self._better,
            "worse": self._worse,
            "mean": self._each(_mean),
            "median": self._each(_median),
            "gain": self._gain(),
        }

    def _each(self, average: "Callable[[array[float]], float | None]") -> Scores:
        """An average of each score."""
        return {
            "psnr_input": average(self._scores["psnr_input"]),
            "psnr_output": average(self._scores["psnr_output"]),
            "ssim_input": average(self._scores["ssim_input"]),
            "ssim_output": average(self._scores["ssim_output"]),
        }

    def _gain(self) -> GainTotals | None:
        """The distribution of the gains.

        Only finite ones have means; the outer bars of the histogram count the infinite ones too.
        """
        if not self._gains:
            return None
        bars = histogram(self._gains)
        bars["counts"][0] += self._infinite[-math.inf]
        bars["counts"][-1] += self._infinite[math.inf]
        return {
            "mean": _mean(self._gains),
            "median": _median(self._gains),
            "best": max(self._gains),
            "worst": min(self._gains),
            "improved": self._better / self._measured,
            "histogram": bars,
        }


class Fluctuation:
    """How much the quality changes from frame to frame: the standard deviation of the PSNR.

    Viewers see such changes as flicker. Source: Guan et al., "MFQE 2.0", IEEE TPAMI 2019, 5.3.
    """

    def __init__(self) -> None:
        self._streams: defaultdict[Hashable, tuple[array[float], array[float]]] = defaultdict(
            lambda: (array("d"), array("d"))
        )

    def add(self, stream: Hashable, before: float | None, after: float | None) -> None:
        """Add a frame of a stream, unless one of the two is not finite: it equals its original."""
        if before is not None and after is not None and math.isfinite(before + after):
            inputs, outputs = self._streams[stream]
            inputs.append(before)
            outputs.append(after)

    def mean(self) -> BeforeAfter | None:
        """The mean over the streams with at least two frames; None if there are none."""
        sides = [sides for sides in self._streams.values() if len(sides[0]) > 1]
        if not sides:
            return None
        input, output = (fmean(map(pstdev, values)) for values in zip(*sides, strict=True))
        return {"input": input, "output": output}


def _mean(values: "array[float]") -> float | None:
    return finite(math.fsum(values) / len(values)) if values else None


def _median(values: "array[float]") -> float | None:
    if not values:
        return None
    middle = sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]
    return sum(middle) / len(middle)


def histogram(values: "array[float]") -> Histogram:
    """Counts per bar and the edges of the bars.

    Edges are multiples of a round step: zero is an edge if values are on both sides of it. The
    first bar holds the lowest value, the last bar the highest.
    """
    low, high = min(values), max(values)
    step = _round_up(max((high - low) / BARS, LEAST_GAIN))
    # One more on each side: a quotient is rounded, and a value at an edge belongs above it.
    places = range(math.floor(low / step) - 1, math.floor(high / step) + 3)
    edges = [round(place * step, 6) for place in places]
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[bisect_right(edges, value) - 1] += 1
    first, last = bisect_right(edges, low) - 1, bisect_right(edges, high)
    return {"counts": counts[first:last], "edges": edges[first : last + 1]}


def _round_up(step: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return float(
        next(
            (factor * power for factor in ROUND_STEPS if factor * power >= step * (1 - 1e-9)),
            10 * power,
        )
    )
