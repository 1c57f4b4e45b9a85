"""The dataset job: decode streams, pair each frame with its original, store the pairs in LMDB."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.core import pair_index
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.core.types.summaries import DatasetSummary
from jobs.datasets import pair_processes, sources
from jobs.datasets.comparison import confirmed_advice
from jobs.datasets.image_check import ImageCheck, require_fitting
from jobs.datasets.pairing import Item, ItemResult, Side, make_pairs, pair_settings
from jobs.datasets.rates import scene_names
from jobs.datasets.so_far import SoFar
from jobs.datasets.sources import FramePair, Sequence
from jobs.datasets.splits import split_scenes
from jobs.datasets.store import PairWriter, writing
from jobs.datasets.summary import summary, write_samples
from jobs.media.images import LUMA, ImageFile, Picture
from jobs.media.originals import Video
from jobs.media.qp_maps import Coding
from jobs.media.video import DecodedFrame, Load
from jobs.specs.dataset import DatasetSpec, Separate

SPLITS = ("train", "val", "test")
DISK_MARGIN = 1.1
MIN_ITEMS_FOR_PROCESSES = 32
"""Jobs with fewer items make them in this process, which is faster than starting others."""

FrameSplits = dict[int, str]
"""Numbers of the selected originals of a sequence, in order, with the split of each."""


PendingItem = tuple[Item, Side, Side]
"""An item with its input and its target."""


@dataclass
class Stores:
    """The writer of each split, and the last item that an earlier worker stored in it."""

    writers: dict[str, PairWriter]
    resumed_after: dict[str, int]

    def pairs(self) -> dict[str, int]:
        return {split: writer.count for split, writer in self.writers.items()}


def make_dataset(folder: JobFolder, spec: DatasetSpec, report: Report) -> DatasetSummary:
    """Write the stores of the splits; return the summary. Continues where a worker stopped."""
    began = time.monotonic()
    sequences = find_sequences(folder, spec, report)
    chosen = choose(sequences, spec)
    check_images(sequences, chosen, report)
    for sequence, frames in zip(sequences, chosen, strict=True):
        with confirmed_advice(sequence):
            sources.check_counts(sequence, last_of(frames, spec))
    with ExitStack() as stack:
        used = [split for split in SPLITS if any(split in frames.values() for frames in chosen)]
        writers = {split: stack.enter_context(writing(folder.store(split))) for split in used}
        stores = Stores(writers, {split: writer.last_item for split, writer in writers.items()})
        pending = items(sequences, chosen, stores, folder, spec, report)
        write_pairs(pending, sum(map(len, chosen)), stores, folder, spec, report)
    for split in used:
        pair_index.write(folder.store(split))
    check_splits(stores.pairs(), spec)
    write_samples(folder, report)
    return summary(folder, used, sequences, time.monotonic() - began)


def find_sequences(folder: JobFolder, spec: DatasetSpec, report: Report) -> list[Sequence]:
    """Return the sequences of the source and of separate validation and test sources."""
    sequences = sources.find(spec.source, spec.frames, folder, report)
    for split, method in (("val", spec.validation), ("test", spec.test)):
        if isinstance(method, Separate):
            sequences += sources.find(method.source, spec.frames, folder, report, split)
    return sequences


def choose(sequences: list[Sequence], spec: DatasetSpec) -> list[FrameSplits]:
    """Select the originals of each sequence and assign each to a split."""
    scenes: dict[str, Sequence] = {}
    for sequence in sequences:
        first = scenes.setdefault(sequence.scene, sequence)
        if first.split != sequence.split:
            raise JobError(
                f"The originals {sequence.originals.place} are assigned to "
                f"{first.split or 'training'} and to {sequence.split or 'training'}: "
                "scores would include training frames. Assign them to one split."
            )
    numbers = {
        scene: sources.numbers(sequence.originals.count, spec.frames, max(sequence.offset, 0))
        for scene, sequence in scenes.items()
    }
    splits = split_scenes(
        [len(scene_numbers) for scene_numbers in numbers.values()],
        [sequence.split for sequence in scenes.values()],
        spec,
    )
    chosen = {
        scene: dict(zip(numbers[scene], names, strict=True))
        for scene, names in zip(numbers, splits, strict=True)
    }
    if not any(chosen.values()):
        raise JobError("No frames are selected. Change first, last or step.")
    return [chosen[sequence.scene] for sequence in sequences]


def check_images(sequences: list[Sequence], chosen: list[FrameSplits], report: Report) -> None:
    """Check the chosen images by their headers. Raises JobError with all misfits."""
    check = ImageCheck(report.check)
    for sequence, frames in zip(sequences, chosen, strict=True):
        check.add(sequence, frames)
    require_fitting(check, report)


def items(
    sequences: list[Sequence],
    chosen: list[FrameSplits],
    stores: Stores,
    folder: JobFolder,
    spec: DatasetSpec,
    report: Report,
) -> Iterator[PendingItem]:
    """Yield the items to make, in an order that depends on the spec alone. Decodes lazily.

    Skips items that are already stored, unless the near-duplicate check needs their glance.
    """
    number = 0
    scenes = scene_names(sequence.scene for sequence in sequences)
    for sequence_number, (sequence, frames) in enumerate(zip(sequences, chosen, strict=True)):
        item_numbers = {original: number + index for index, original in enumerate(frames)}
        number += len(frames)
        for pair in pairs_of(sequence, last_of(frames, spec), report):
            report.check()
            if pair.original not in frames:
                continue
            stored = item_numbers[pair.original] <= stores.resumed_after[frames[pair.original]]
            if stored and not spec.frames.near_duplicates:
                continue
            folder_number = sequence_number if len(sequences) > 1 else None
            keep = (
                decoded_path(folder, folder_number, sequence, pair.frame)
                if spec.keep_decoded
                else None
            )
            item = item_of(
                pair,
                sequence,
                sequence_number,
                scenes[sequence.scene],
                item_numbers[pair.original],
                frames[pair.original],
                stored,
                keep,
            )
            yield item, as_side(pair.load_input), as_side(pair.load_original)


def pairs_of(sequence: Sequence, last: int | None, report: Report) -> Iterator[FramePair]:
    with confirmed_advice(sequence):
        yield from sources.pairs(sequence, last, lambda text: report.message(text, "warning"))


def last_of(frames: FrameSplits, spec: DatasetSpec) -> int | None:
    """Return the last original that a range of frames selects; None if all frames are needed."""
    cut = spec.frames.last is not None or spec.frames.most is not None
    return max(frames, default=-1) if cut else None


def item_of(
    pair: FramePair,
    sequence: Sequence,
    sequence_number: int,
    scene: str,
    number: int,
    split: str,
    stored: bool,
    keep: Path | None,
) -> Item:
    load = pair.load_input
    return Item(
        number=number,
        split=split,
        sequence=sequence.name,
        sequence_number=sequence_number,
        frame=pair.frame,
        input=sequence.inputs.name(pair.frame),
        original=sequence.originals.name(pair.original),
        scene=scene,
        bits=sequence.inputs.facts.bits_a_frame if isinstance(sequence.inputs, Video) else None,
        qp=sequence.qp,
        rate=sequence.rate,
        matrix=sequence.colour.name if sequence.colour.name in LUMA else "BT.601",
        crop=sequence.crop,
        keep=keep,
        only_glance=stored,
        coding=load.coding if isinstance(load, DecodedFrame | ImageFile) else Coding(),
    )


def decoded_path(
    folder: JobFolder, sequence_number: int | None, sequence: Sequence, frame: int
) -> Path:
    """Return decoded/000007.bmp, or decoded/001-qp32/000007.bmp if the job has several sequences.

    The folder has a number because sequence names may not be unique.
    """
    plain = re.sub(r"[^\w.-]+", "-", sequence.name)
    name = "" if sequence_number is None else f"{sequence_number:03d}-{plain}".rstrip("-")
    return folder.path / "decoded" / name / f"{frame:06d}.bmp"


def as_side(load: Load) -> Side:
    """Return an image file as it is (the worker process reads it), and any other frame decoded."""
    return load if isinstance(load, ImageFile) else load()


def write_pairs(
    pending: Iterator[PendingItem],
    total: int,
    stores: Stores,
    folder: JobFolder,
    spec: DatasetSpec,
    report: Report,
) -> None:
    """Make the pairs of the items and add them in order, without near-duplicates."""
    unit = "frames" if spec.patches.size else "pairs"
    threshold = spec.frames.near_duplicates
    so_far = SoFar(folder, report)
    glance: Picture | None = None
    sequence_number = 0
    first = True
    report.begin(max(stores.resumed_after.values()) + 1)
    for result in make_items(pending, total, spec, report):
        report.check()
        item = result.item
        if item.sequence_number != sequence_number:
            glance, sequence_number = None, item.sequence_number
        if (
            glance is not None
            and result.glance is not None
            and alike(glance, result.glance, threshold)
        ):
            report.skip(
                item.name,
                f"near-duplicate of the previous frame (differs by under {threshold:g} levels)",
            )
        else:
            glance = result.glance
            if not item.only_glance:
                if first:
                    check_disk_space(folder, result, total - item.number)
                    first = False
                so_far.add(item.split, stores.writers[item.split].count, result.records)
                stores.writers[item.split].add(result.records)
        report.progress(item.number + 1, total, unit, pairs=stores.pairs())
    report.progress(total, total, unit, pairs=stores.pairs())


def make_items(
    pending: Iterator[PendingItem], total: int, spec: DatasetSpec, report: Report
) -> Iterator[ItemResult]:
    """Yield the results of the items in order, in worker processes if there are many."""
    settings = pair_settings(spec)
    errors: list[JobError] = []
    valid = _until_error(pending, errors)
    if total < MIN_ITEMS_FOR_PROCESSES:
        for item, input, target in valid:
            yield make_pairs(item, input, target, settings)
    else:
        yield from pair_processes.make_in_processes(valid, settings, report)
    if errors:
        raise errors[0]


def _until_error(pending: Iterator[PendingItem], errors: list[JobError]) -> Iterator[PendingItem]:
    """Yield the items before the first error of a source; append that error to `errors`.

    The caller stores these items before it raises the error.
    """
    try:
        yield from pending
    except JobError as error:
        errors.append(error)


def alike(a: Picture, b: Picture, threshold: float) -> bool:
    """Return whether two glances differ by less than `threshold` levels on average."""
    return a.shape == b.shape and float(np.abs(a.astype(np.int16) - b).mean()) < threshold


def check_disk_space(folder: JobFolder, result: ItemResult, count: int) -> None:
    """Raise JobError if the disk has no space for `count` items of this item's size."""
    needed = int(sum(record.size for record in result.records) * count * DISK_MARGIN)
    free = shutil.disk_usage(folder.path).free
    if needed > free:
        raise JobError(
            f"The pairs need about {format_bytes(needed)}, but the disk of the jobs folder has "
            f"only {format_bytes(free)} free. "
            "Free some space, select fewer frames, or choose a smaller encoding."
        )


def format_bytes(size: int) -> str:
    """Format a size, for example as "23.1 MB"."""
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / unit:.1f} {name}"


def check_splits(pairs: dict[str, int], spec: DatasetSpec) -> None:
    """Raise JobError if the training or the validation split is empty."""
    if not pairs.get("train"):
        raise JobError(
            "The training split is empty. "
            "Select more frames, hold out fewer, or drop fewer flat patches."
        )
    if not pairs.get("val"):
        raise JobError(
            "The validation split is empty: the source is too small for this split method. "
            "Add frames or sequences, or choose a separate validation source."
        )
