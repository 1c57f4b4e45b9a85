"""The dataset job: decode a stream, pair each frame with its original, keep the pairs in LMDB."""

import math
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jobs import media, pair_index
from jobs.errors import JobError
from jobs.folder import JobFolder
from jobs.media import Picture
from jobs.report import Report, finite
from jobs.specs import DatasetSpec
from jobs.store import PairReader, Record, encode, writing

SAMPLES = 4
FRAMES_A_BLOCK = 8
"""A validation block is not shorter: at its borders, frames look like their neighbours in training."""


@dataclass(frozen=True)
class Pair:
    """A decoded frame and the original it belongs to."""

    frame: int
    input: Picture
    original: Path


def make_dataset(folder: JobFolder, spec: DatasetSpec, report: Report) -> dict[str, Any]:
    """Write train.lmdb and val.lmdb; return the summary. Goes on where an earlier worker stopped."""
    began = time.monotonic()
    stream, originals = Path(spec.source.stream), media.list_images(Path(spec.source.originals))
    splits = split_in_blocks(len(originals), spec.validation.percent)
    with ExitStack() as stack:
        writers = {split: stack.enter_context(writing(folder.store(split))) for split in ("train", "val")}
        there = {split: writer.committed for split, writer in writers.items()}
        already = sum(there.values())
        report.begin(already)
        for done, record in enumerate(_records(folder, spec, stream, originals, report), 1):
            split = splits[record.meta["frame"]]
            if there[split]:
                there[split] -= 1
            else:
                writers[split].add(record)
            if done > already:
                report.progress(done, len(originals), "pairs")
            report.check()
    for split in writers:
        pair_index.write(folder.store(split))
    samples(folder, report)
    return summary(folder, time.monotonic() - began)


def split_in_blocks(count: int, percent: float) -> list[str]:
    """ "train" or "val" for each of `count` frames: up to four blocks, evenly spread, at least one frame each way."""
    kept = min(max(1, round(count * percent / 100)), count - 1)
    blocks = min(max(1, kept // FRAMES_A_BLOCK), 4)
    splits = ["train"] * count
    for block in range(blocks):
        length = kept * (block + 1) // blocks - kept * block // blocks
        first = (2 * block + 1) * count // (2 * blocks) - length // 2
        splits[first : first + length] = ["val"] * length
    return splits


def _records(folder: JobFolder, spec: DatasetSpec, stream: Path, originals: list[Path], report: Report) -> Iterator[Record]:
    """The encoded pairs, frame n with original n, in their order; made by several threads, few of them at a time."""
    if len(originals) < 2:
        raise JobError(
            f"{originals[0].parent} has one image only. A dataset needs two pairs at least: to train on, and to validate."
        )
    threads = os.cpu_count() or 1
    window: deque[Future[Record]] = deque()
    found = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for picture in media.decode(stream, warn=lambda text: report.message(text, "warning")):
                report.check()
                if found < len(originals):
                    window.append(pool.submit(_record, Pair(found, picture, originals[found]), spec, folder))
                found += 1
                if len(window) > 2 * threads:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
    _check_counts(stream, found, originals)


def _check_counts(stream: Path, found: int, originals: list[Path]) -> None:
    """Raises JobError where the stream has not one frame for each original."""
    if found == 0:
        raise JobError(f"No frame of {stream.name} could be decoded. Give a stream with pictures in it.")
    if found < len(originals):
        raise JobError(
            f"{stream.name} has {found} frames, but {originals[0].parent} has {len(originals)} originals. "
            "The stream may be cut short: give the whole one, or take away the originals without a frame."
        )
    if found > len(originals):
        raise JobError(
            f"{stream.name} has {found} frames, but {originals[0].parent} has only {len(originals)} originals. "
            "Add the missing ones, or cut the stream."
        )


def _record(pair: Pair, spec: DatasetSpec, folder: JobFolder) -> Record:
    target = media.read_image(pair.original)
    if target.shape != pair.input.shape:
        raise JobError(
            f"{pair.original.name} is {media.size(target)}, but frame {pair.frame} of the stream is {media.size(pair.input)}. "
            "Remove it or give the right folder."
        )
    if spec.keep_decoded:
        decoded = folder.path / "decoded"
        decoded.mkdir(exist_ok=True)
        Image.fromarray(pair.input).save(decoded / f"{pair.frame:06d}.bmp")
    height, width, _ = target.shape
    meta = {
        "frame": pair.frame,
        "original": pair.original.name,
        "height": height,
        "width": width,
        "input_encoding": spec.input_encoding,
        "target_encoding": spec.target_encoding,
        "psnr_input": finite(psnr(pair.input, target)),
    }
    return Record(encode(pair.input, spec.input_encoding), encode(target, spec.target_encoding), meta)


def psnr(a: Picture, b: Picture) -> float:
    """In dB, over all values of two uint8 pictures; infinite where they are equal. As models.metrics.psnr, without torch."""
    error = float(np.square(a.astype(np.int32) - b).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def samples(folder: JobFolder, report: Report) -> None:
    """Write a few pairs as PNG for the page, spread over the training split."""
    reader = PairReader(folder.store("train"))
    (folder.path / "results").mkdir(exist_ok=True)
    for number in sorted({index * (len(reader) - 1) // (SAMPLES - 1) for index in range(SAMPLES)}):
        meta = reader.meta(number)
        urls = {}
        for role, picture in zip(("input", "target"), reader[number], strict=True):
            name = f"results/train-{number:06d}-{role}.png"
            Image.fromarray(picture).save(folder.path / name)
            urls[role] = folder.url(name)
        shown = {key: meta[key] for key in ("frame", "original", "psnr_input")}
        report.log.append("sample", pair=number, split="train", **shown, **urls)
    reader.close()


def summary(folder: JobFolder, seconds: float) -> dict[str, Any]:
    """The numbers that the page shows of a finished dataset."""
    pairs: dict[str, int] = {}
    psnrs: list[float] = []
    sizes: set[tuple[int, int]] = set()
    for split in ("train", "val"):
        reader = PairReader(folder.store(split))
        pairs[split] = len(reader)
        for meta in map(reader.meta, range(len(reader))):
            sizes.add((meta["height"], meta["width"]))
            psnrs += [meta["psnr_input"]] if meta["psnr_input"] is not None else []
        reader.close()
    height, width = max(sizes)
    return {
        "pairs": pairs,
        "height": height,
        "width": width,
        "channels": 3,
        "psnr_input": sum(psnrs) / len(psnrs) if psnrs else None,
        "bytes": sum(file.stat().st_size for split in pairs for file in folder.store(split).iterdir()),
        "seconds": seconds,
        "pairs_per_second": sum(pairs.values()) / seconds,
    }
