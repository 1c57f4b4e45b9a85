"""Summary of a finished dataset: counts, sizes, quality of the inputs, worst and best pairs."""

import math
from array import array
from collections import Counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from jobs.core.events import read_only
from jobs.core.folder import JobFolder
from jobs.core.pair_index import FRAME_TYPES
from jobs.core.report import Report
from jobs.core.stored import metas
from jobs.core.types.events import SkippedEvent
from jobs.core.types.fields import FrameType, Split
from jobs.core.types.layers import Histogram
from jobs.core.types.samples import Skipped
from jobs.core.types.summaries import DatasetSummary, RankedPair, Source
from jobs.datasets.sources import Sequence
from jobs.datasets.store import PairReader
from jobs.media.images import Picture
from jobs.media.originals import Video
from jobs.media.png import encode_png

SAMPLES = 4
RANKED = 6
MAX_SKIPPED = 200
MAX_SOURCES = 100
BINS = 32


def write_samples(folder: JobFolder, report: Report) -> None:
    """Write a few pairs as PNG files for the page, evenly spaced in the training split."""
    reader = PairReader(folder.store("train"))
    for number in sorted({index * (len(reader) - 1) // (SAMPLES - 1) for index in range(SAMPLES)}):
        write_sample(folder, report, "train", number, reader.meta(number), *reader[number])
    reader.close()


def write_sample(
    folder: JobFolder,
    report: Report,
    split: str,
    number: int,
    meta: dict[str, Any],
    input: Picture,
    target: Picture,
) -> None:
    """Write the pictures of a pair as PNG files, and log their URLs."""
    urls: dict[str, str] = {}
    for role, picture in (("input", input), ("target", target)):
        path = folder.path / f"results/{split}-{number:06d}-{role}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(picture))
        urls[role] = folder.url(f"results/{path.name}")
    report.log.append(
        "sample",
        pair=number,
        split=cast(Split, split),
        frame=meta["frame"],
        original=meta["original"],
        input=urls["input"],
        target=urls["target"],
        psnr_input=meta["psnr_input"],
    )


def summary(
    folder: JobFolder, splits: list[str], sequences: list[Sequence], seconds: float
) -> DatasetSummary:
    """Return the summary that the page and the API show."""
    pairs: dict[str, int] = {}
    sizes: set[tuple[int, int]] = set()
    channels: set[int] = set()
    rows: list[tuple[str, int]] = []
    psnrs, ssims, qps = array("d"), array("d"), array("d")
    types: Counter[FrameType] = Counter()
    for split in splits:
        number = -1
        for number, meta in enumerate(metas(folder.store(split))):
            sizes.add((meta["height"], meta["width"]))
            channels.add(meta["channels"])
            rows.append((split, number))
            psnrs.append(math.inf if meta["psnr_input"] is None else meta["psnr_input"])
            ssims.append(math.nan if meta["ssim_input"] is None else meta["ssim_input"])
            if meta.get("frame_type"):
                types[meta["frame_type"]] += 1
            if meta.get("qp_mean") is not None:
                qps.append(meta["qp_mean"])
        pairs[split] = number + 1
    height, width = max(sizes)
    psnr, ssim = np.array(psnrs), np.array(ssims)
    finite = psnr[np.isfinite(psnr)]
    order = np.argsort(psnr, kind="stable")
    skipped = _skipped(folder)
    return {
        "pairs": pairs,
        "height": height,
        "width": width,
        "sizes": len(sizes),
        "smallest_side": min(map(min, sizes)),
        "channels": max(channels),
        "psnr_input": float(finite.mean()) if len(finite) else None,
        "ssim_input": None if np.isnan(ssim).all() else float(np.nanmean(ssim)),
        "psnr_histogram": psnr_histogram(finite),
        "equal_pairs": len(psnr) - len(finite),
        "worst_pairs": [_ranked(folder, *rows[index]) for index in order[:RANKED]],
        "best_pairs": [_ranked(folder, *rows[index]) for index in order[::-1][:RANKED]],
        "frame_types": {type: types[type] for type in FRAME_TYPES if types[type]},
        "qp_range": [min(qps), max(qps)] if qps else None,
        "sequences": len(sequences),
        "sources": [_source(sequence) for sequence in sequences[:MAX_SOURCES]],
        "skipped": len(skipped),
        "skipped_first": skipped[:MAX_SKIPPED],
        "bytes": sum(
            file.stat().st_size for split in splits for file in folder.store(split).iterdir()
        ),
        "seconds": seconds,
        "pairs_per_second": len(psnr) / seconds,
    }


def psnr_histogram(psnrs: NDArray[np.float64]) -> Histogram | None:
    """Return counts and edges (dB), or None if all pairs are equal."""
    if not len(psnrs):
        return None
    low = float(psnrs.min())
    counts, edges = np.histogram(psnrs, BINS, (low, max(float(psnrs.max()), low + 0.1)))
    return {"counts": counts.tolist(), "edges": edges.tolist()}


def _ranked(folder: JobFolder, split: str, number: int) -> RankedPair:
    reader = PairReader(folder.store(split))
    meta = reader.meta(number)
    reader.close()
    keys = ("sequence", "frame", "original", "qp", "psnr_input", "ssim_input")
    pair = {"split": split, "pair": number, **{key: meta[key] for key in keys}}
    return cast(RankedPair, pair)


def _source(sequence: Sequence) -> Source:
    return {
        "name": sequence.name,
        "inputs": sequence.inputs.place,
        "originals": sequence.originals.place,
        "frames": sequence.originals.count,
        "rate": sequence.rate,
        "colour": sequence.colour.describe() if isinstance(sequence.inputs, Video) else None,
    }


def _skipped(folder: JobFolder) -> list[Skipped]:
    """The skipped items in the log. An item that two workers skipped counts once."""
    reasons = {event["name"]: event["why"] for event in read_only(folder.events, SkippedEvent)}
    return [{"name": name, "why": why} for name, why in reasons.items()]
