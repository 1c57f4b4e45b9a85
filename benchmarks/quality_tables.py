"""The tables of docs/quality.md, from the results of benchmarks/quality.py alone."""

import math
from collections import defaultdict
from statistics import fmean
from typing import Any

from benchmarks.clips import SEQUENCES
from jobs.media.rate_distortion import bd_rate

QPS = (22, 27, 32, 37, 42)
SHOWN_QP = 37
"""The rate of the tables of clips and scores."""
Clips = dict[str, dict[str, Any]]
"""The scores by clip and QP."""


def gain(scores: dict[str, Any], name: str = "psnr_y") -> float:
    return float(scores["output"][name] - scores["input"][name])


def complete(lines: list[dict[str, Any]]) -> dict[str, list[Clips]]:
    """The scores of the seeds of each row, if a seed has all clips; the most bits saved first."""
    by_seed: defaultdict[str, defaultdict[Any, Clips]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        by_seed[line["row"]][line.get("seed"), line.get("seconds")].update(line["clips"])
    rows = {
        name: [clips for clips in seeds.values() if clips.keys() == SEQUENCES.keys()]
        for name, seeds in by_seed.items()
    }
    return dict(
        sorted(
            ((name, seeds) for name, seeds in rows.items() if seeds), key=lambda row: saved(row[1])
        )
    )


def saved(seeds: list[Clips]) -> float:
    """The BD-rate of Y, the mean over clips and seeds: -0.07 means 7 % fewer bits.

    Infinity if input and output of a clip have no PSNR in common.
    """

    def curve(clip: dict[str, Any], side: str) -> list[tuple[float, float]]:
        return [(scores["bits"], scores[side]["psnr_y"]) for scores in clip.values()]

    rates = [
        bd_rate(curve(clip, "input"), curve(clip, "output"))
        for clips in seeds
        for clip in clips.values()
    ]
    return fmean(math.inf if rate is None else rate for rate in rates)


def tables(lines: list[dict[str, Any]]) -> str:
    """Markdown tables of the gain at each rate, and of each clip and score at one rate."""
    rows = complete(lines)
    return "\n\n".join([_of_rates(rows), _of_clips(rows), _of_scores(rows), _noise(rows)])


def _of_rates(rows: dict[str, list[Clips]]) -> str:
    lines = []
    for name, seeds in rows.items():
        gains = [
            _signed(fmean(gain(clip[str(qp)]) for clips in seeds for clip in clips.values()))
            for qp in QPS
        ]
        seconds = fmean(
            clip[str(qp)]["seconds"] for clips in seeds for clip in clips.values() for qp in QPS
        )
        rate = saved(seeds)
        bits = f"{100 * rate:+.1f} %".replace("-", "−") if math.isfinite(rate) else "none"
        lines.append([name, bits, *gains, f"{seconds:.2g}", str(len(seeds))])
    head = ["", "bits", *(f"QP {qp}" for qp in QPS), "s a megapixel", "seeds"]
    return _markdown("Gain of Y in dB, the mean over the clips", head, lines)


def _of_clips(rows: dict[str, list[Clips]]) -> str:
    lines = [
        [
            name,
            *(
                _signed(fmean(gain(clips[clip][str(SHOWN_QP)]) for clips in seeds))
                for clip in SEQUENCES
            ),
        ]
        for name, seeds in rows.items()
    ]
    head = ["", *(clip.replace("_", " ") for clip in SEQUENCES)]
    return _markdown(f"Gain of Y in dB at QP {SHOWN_QP}", head, lines)


def _of_scores(rows: dict[str, list[Clips]]) -> str:
    lines = []
    for name, seeds in rows.items():
        all_scores = [clip[str(SHOWN_QP)] for clips in seeds for clip in clips.values()]
        cells = [
            _signed(fmean(gain(scores, "psnr") for scores in all_scores)),
            _signed(1000 * fmean(gain(scores, "ssim") for scores in all_scores), 1),
            _signed(fmean(gain(scores, "vmaf") for scores in all_scores), 1),
            *(
                f"{fmean(scores[side]['fluctuation'] for scores in all_scores):.3f}"
                for side in ("input", "output")
            ),
        ]
        lines.append([name, *cells])
    head = [
        "",
        "RGB, dB",
        "SSIM, thousandths",
        "VMAF",
        "fluctuation of the input, dB",
        "of the output, dB",
    ]
    return _markdown(f"Other scores at QP {SHOWN_QP}, means over the clips", head, lines)


def _noise(rows: dict[str, list[Clips]]) -> str:
    """How far the seeds of a training lie apart."""
    spreads = {
        name: max(means) - min(means)
        for name, seeds in rows.items()
        if len(seeds) > 1
        for means in [
            [fmean(gain(clip[str(SHOWN_QP)]) for clip in clips.values()) for clips in seeds]
        ]
    }
    if not spreads:
        return "No row has a second seed."
    name = max(spreads, key=lambda name: spreads[name])
    return (
        f"Rows with two seeds: {len(spreads)}. Their means at QP {SHOWN_QP} differ by at "
        f"most {spreads[name]:.3f} dB ({name})."
    )


def _signed(value: float, digits: int = 2) -> str:
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _markdown(title: str, head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join([f"{title}:", "", *(f"| {' | '.join(cells)} |" for cells in rows)])
