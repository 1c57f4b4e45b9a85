"""The dataset job: decode streams, pair each frame with its original, keep the pairs in LMDB."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.core import pair_index
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.datasets import sources, workers
from jobs.datasets.pairing import Item, Made, Side, make, making
from jobs.datasets.sources import Paired, Sequence
from jobs.datasets.splits import split_scenes
from jobs.datasets.store import PairWriter, writing
from jobs.datasets.summary import samples, summary
from jobs.media.images import LUMA, ImageFile, Picture
from jobs.media.video import Load
from jobs.specs.dataset import DatasetSpec, Separate

SPLITS = ("train", "val", "test")
ROOM_TO_SPARE = 1.1
FEW = 32

Chosen = dict[int, str]
"""Of one sequence: the numbers of the originals that are taken, in order, and the split of each."""


Wanted = tuple[Item, Side, Side]
"""An item with its input and its target."""


@dataclass
class Stores:
    """The splits' writers, and the last item that an earlier worker stored in each."""

    writers: dict[str, PairWriter]
    resumed_after: dict[str, int]

    def pairs(self) -> dict[str, int]:
        return {split: writer.count for split, writer in self.writers.items()}


def make_dataset(folder: JobFolder, spec: DatasetSpec, report: Report) -> dict[str, Any]:
    """Write the splits' stores; return the summary. Goes on where an earlier worker stopped."""
    began = time.monotonic()
    sequences = find_sequences(folder, spec, report)
    chosen = choose(sequences, spec)
    with ExitStack() as stack:
        used = [split for split in SPLITS if any(split in frames.values() for frames in chosen)]
        writers = {split: stack.enter_context(writing(folder.store(split))) for split in used}
        stores = Stores(writers, {split: writer.last_item for split, writer in writers.items()})
        wanted = items(sequences, chosen, stores, folder, spec, report)
        write_pairs(wanted, sum(map(len, chosen)), stores, folder, spec, report)
    for split in used:
        pair_index.write(folder.store(split))
    check_splits(stores.pairs(), spec)
    samples(folder, report)
    return summary(folder, used, sequences, time.monotonic() - began)


def find_sequences(folder: JobFolder, spec: DatasetSpec, report: Report) -> list[Sequence]:
    """Those of the source, and of separate validation and test sources."""
    found = sources.find(spec.source, spec.frames, folder, report)
    for split, kept in (("val", spec.validation), ("test", spec.test)):
        if isinstance(kept, Separate):
            found += sources.find(kept.source, spec.frames, folder, report, split)
    return found


def choose(sequences: list[Sequence], spec: DatasetSpec) -> list[Chosen]:
    """Which originals of each sequence are taken, and for which split."""
    scenes: dict[str, Sequence] = {}
    for sequence in sequences:
        known = scenes.setdefault(sequence.scene, sequence)
        if known.split != sequence.split:
            raise JobError(
                f"The originals {sequence.originals.place} are meant for {known.split or 'training'} and for "
                f"{sequence.split or 'training'}: a network would be judged by what it was trained on. Keep them to one split."
            )
    taken = {
        scene: sources.numbers(one.originals.count, spec.frames, max(one.offset, 0))
        for scene, one in scenes.items()
    }
    splits = split_scenes(
        [len(numbers) for numbers in taken.values()], [one.split for one in scenes.values()], spec
    )
    chosen = {
        scene: dict(zip(taken[scene], names, strict=True))
        for scene, names in zip(taken, splits, strict=True)
    }
    if not any(chosen.values()):
        raise JobError(
            "No frame is left to make a pair of. Choose other frames: first, last and step."
        )
    return [chosen[sequence.scene] for sequence in sequences]


def items(
    sequences: list[Sequence],
    chosen: list[Chosen],
    stores: Stores,
    folder: JobFolder,
    spec: DatasetSpec,
    report: Report,
) -> Iterator[Wanted]:
    """What is to be made, in an order that depends on the spec alone. Decodes as it goes.

    What was stored before is passed over; only near-duplicates need its look again."""
    number = 0
    for sequence_number, (sequence, frames) in enumerate(zip(sequences, chosen, strict=True)):
        places = {original: number + place for place, original in enumerate(frames)}
        number += len(frames)
        cut = spec.frames.last is not None or spec.frames.most is not None
        last = max(frames, default=-1) if cut else None
        for pair in sources.pairs(sequence, last, lambda text: report.message(text, "warning")):
            report.check()
            if pair.original not in frames:
                continue
            stored = places[pair.original] <= stores.resumed_after[frames[pair.original]]
            if stored and not spec.frames.near_duplicates:
                continue
            told_apart = sequence_number if len(sequences) > 1 else None
            keep = (
                kept_path(folder, told_apart, sequence, pair.frame) if spec.keep_decoded else None
            )
            item = item_of(
                pair,
                sequence,
                sequence_number,
                places[pair.original],
                frames[pair.original],
                stored,
                keep,
            )
            yield item, at_hand(pair.load_input), at_hand(pair.load_original)


def item_of(
    pair: Paired,
    sequence: Sequence,
    sequence_number: int,
    number: int,
    split: str,
    stored: bool,
    keep: Path | None,
) -> Item:
    return Item(
        number=number,
        split=split,
        sequence=sequence.name,
        sequence_number=sequence_number,
        frame=pair.frame,
        input=sequence.inputs.name(pair.frame),
        original=sequence.originals.name(pair.original),
        qp=sequence.qp,
        rate=sequence.rate,
        matrix=sequence.colour.name if sequence.colour.name in LUMA else "BT.601",
        crop=sequence.crop,
        keep=keep,
        only_glance=stored,
    )


def kept_path(
    folder: JobFolder, sequence_number: int | None, sequence: Sequence, frame: int
) -> Path:
    """decoded/000007.bmp, or of several sequences decoded/001-qp32/000007.bmp: by number, for names may be alike."""
    plain = re.sub(r"[^\w.-]+", "-", sequence.name)
    name = "" if sequence_number is None else f"{sequence_number:03d}-{plain}".rstrip("-")
    return folder.path / "decoded" / name / f"{frame:06d}.bmp"


def at_hand(load: Load) -> Side:
    """A decoded frame as the picture it is; a file is read where its pair is made."""
    return load if isinstance(load, ImageFile) else load()


def write_pairs(
    wanted: Iterator[Wanted],
    total: int,
    stores: Stores,
    folder: JobFolder,
    spec: DatasetSpec,
    report: Report,
) -> None:
    """Make the pairs of the items and add them in order; near-duplicates are left out."""
    unit = "frames" if spec.patches.size else "pairs"
    threshold = spec.frames.near_duplicates
    glance: Picture | None = None
    sequence_number = 0
    first = True
    report.begin(max(stores.resumed_after.values()) + 1)
    for made in in_order(wanted, total, spec, report):
        report.check()
        item = made.item
        if item.sequence_number != sequence_number:
            glance, sequence_number = None, item.sequence_number
        if glance is not None and made.glance is not None and alike(glance, made.glance, threshold):
            report.skip(
                item.name, f"nearly the same as the frame before it (under {threshold:g} levels)"
            )
        else:
            glance = made.glance
            if not item.only_glance:
                if first:
                    check_room(folder, made, total - item.number)
                    first = False
                stores.writers[item.split].add(made.records)
        report.progress(item.number + 1, total, unit, pairs=stores.pairs())
    report.progress(total, total, unit, pairs=stores.pairs())


def in_order(
    wanted: Iterator[Wanted], total: int, spec: DatasetSpec, report: Report
) -> Iterator[Made]:
    """What comes of the items, in their order. A handful is made sooner than processes are started."""
    how = making(spec)
    ending: list[JobError] = []
    good = _until_error(wanted, ending)
    if total < FEW:
        for item, input, target in good:
            yield make(item, input, target, how)
    else:
        yield from workers.by_processes(good, how, report)
    if ending:
        raise ending[0]


def _until_error(wanted: Iterator[Wanted], ending: list[JobError]) -> Iterator[Wanted]:
    """The items before a stream turned out to be wrong: they are good, and are kept before its error is raised."""
    try:
        yield from wanted
    except JobError as error:
        ending.append(error)


def alike(a: Picture, b: Picture, threshold: float) -> bool:
    """Whether two glances differ by less than `threshold` levels on average."""
    return a.shape == b.shape and float(np.abs(a.astype(np.int16) - b).mean()) < threshold


def check_room(folder: JobFolder, made: Made, count: int) -> None:
    """Raises JobError where the disk has no room for `count` items like the one that was made."""
    needed = int(sum(record.size for record in made.records) * count * ROOM_TO_SPARE)
    free = shutil.disk_usage(folder.path).free
    if needed > free:
        raise JobError(
            f"The pairs need about {in_units(needed)}, but only {in_units(free)} are free where the server keeps its jobs. "
            "Make room, take fewer frames, or choose a smaller encoding."
        )


def in_units(size: int) -> str:
    """23.1 MB"""
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / unit:.1f} {name}"


def check_splits(pairs: dict[str, int], spec: DatasetSpec) -> None:
    """Raises JobError where there is nothing to train on, or nothing to validate with."""
    if not pairs.get("train"):
        raise JobError(
            "No pair is left to train on. Choose more frames, keep fewer back, or drop fewer flat patches."
        )
    if not pairs.get("val"):
        raise JobError(
            "No pair is left to validate with: the source is too small for this split. "
            "Give more frames or sequences, or separate validation sources."
        )
