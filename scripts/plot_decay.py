"""Plot docs/decay.svg: learning rate and PSNR gain for both readings of the example's gamma.

python scripts/plot_decay.py RESULTS     RESULTS: a file of benchmarks/quality.py
"""

import json
import sys
from pathlib import Path

from models.definitions.lr_policies import decay_scale, rate

ROOT = Path(__file__).parent.parent
READINGS = {"percent": ("#d55e00", "per percent, as DIGITS counts"), "run": ("#0072b2", "per run")}
WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 180, 64, 34, 84
Points = list[tuple[float, float]]


def main(results: str) -> None:
    rows = [json.loads(line) for line in Path(results).read_text().splitlines()]
    rates, gains = {}, {}
    for per in READINGS:
        settings = {"gamma": 0.098, "scale": decay_scale(per, 1, 1)}
        rates[per] = [
            (float(percent), rate(0.001, "exponential", percent / 100, settings))
            for percent in range(101)
        ]
        row = next(row for row in rows if row["row"] == f"9-1-5 plain, decay per {per}")
        last = row["curve"][-1][0]
        gains[per] = [(100 * step / last, gain) for step, gain in row["curve"]]
    # A multiple of 4, so that the axis has four intervals of integers.
    low = 4 * (min(gain for points in gains.values() for _, gain in points) // 4)
    width, height = 2 * WIDTH + GAP + LEFT + 20, HEIGHT + TOP + 70
    picture = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#565f69">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *panel(0, "learning rate", rates, 0.0, 0.001, "{:g}"),
        *panel(WIDTH + GAP, "PSNR over the input, dB", gains, low, 0.0, "{:.0f}"),
    ]
    for number, (colour, label) in enumerate(READINGS.values()):
        x, y = LEFT + number * 230, HEIGHT + TOP + 54
        picture.append(
            f'<path d="M{x},{y - 4}h24" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x + 30}" y="{y}">{label}</text>'
        )
    (ROOT / "docs" / "decay.svg").write_text("\n".join([*picture, "</svg>", ""]))


def panel(
    left: int, title: str, curves: dict[str, Points], low: float, high: float, form: str
) -> list[str]:
    """SVG elements of a chart: curves over the percent of the run, from `low` to `high`."""
    left += LEFT
    elements = [f'<text x="{left}" y="20" fill="#16191d" font-weight="600">{title}</text>']
    for part in range(5):
        y = TOP + HEIGHT * part / 4
        x = left + WIDTH * part / 4
        value = high + (low - high) * part / 4
        elements.append(
            f'<path d="M{left},{y}h{WIDTH}M{x},{TOP}v{HEIGHT}" stroke="#d9dde1" fill="none"/>'
        )
        elements.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{form.format(value)}</text>'
        )
        elements.append(
            f'<text x="{x}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{25 * part} %</text>'
        )
    for per, points in curves.items():
        coordinates = (
            f"{left + WIDTH * percent / 100:.1f},{TOP + HEIGHT * (high - value) / (high - low):.1f}"
            for percent, value in points
        )
        elements.append(
            f'<polyline points="{" ".join(coordinates)}" fill="none" '
            f'stroke="{READINGS[per][0]}" stroke-width="2"/>'
        )
    return elements


if __name__ == "__main__":
    main(*sys.argv[1:])
