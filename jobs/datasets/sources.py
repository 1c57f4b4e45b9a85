"""Find the inputs and originals of a dataset's source, as sequences. Frames are decoded lazily.

A new kind of source also needs a spec (jobs/specs/dataset.py), checks of its paths
(app/checks/dataset.py), a probe (probe.py) and its options (`KINDS` in commands/dataset.py).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from jobs.core.errors import JobError, counted
from jobs.core.folder import JobFolder
from jobs.core.manifest import entries
from jobs.core.report import Report
from jobs.core.suffixes import STREAMS, natural
from jobs.datasets.image_check import ImageCheck, require_fitting
from jobs.interchange.importing import Folders, splits_of
from jobs.media import video
from jobs.media.h264 import compress
from jobs.media.images import list_images, stem
from jobs.media.originals import Images, Video, originals_of
from jobs.media.video import Colour, GoOn, Load, Warn
from jobs.specs.dataset import FrameChoice
from jobs.specs.sources import (
    CompressSource,
    FoldersSource,
    ImportSource,
    PairsSource,
    SequencesSource,
    Source,
    StreamSource,
)


@dataclass(frozen=True)
class Sequence:
    """A run of pairs: input n belongs to original n + offset.

    Sequences with the same `scene` share their originals.
    """

    name: str
    scene: str
    inputs: Images | Video
    originals: Images | Video
    split: str = ""
    offset: int = 0
    qp: float | None = None
    rate: str | None = None
    colour: Colour = field(default_factory=Colour)
    crop: bool = False
    """Whether to crop the last odd row or column of the originals, which H.264 cannot store."""


class Miscount(JobError):
    """A stream has more or fewer frames than originals: `counts` without the advice."""

    def __init__(self, counts: str, advice: str) -> None:
        super().__init__(f"{counts} {advice}")
        self.counts = counts


@dataclass(frozen=True)
class FramePair:
    """The numbers and the loaders of an input and its original."""

    frame: int
    original: int
    load_input: Load
    load_original: Load


STREAM_SECONDS = 0.5
"""Time for counting the frames of a job's streams before their first pair. Where they are not all
counted, their end shows whether one has too few or too many."""

Skip = Callable[[str, str], None]
"""Receives the name of a skipped file and the reason."""


def find(
    source: Source, choice: FrameChoice, folder: JobFolder, report: Report, split: str = ""
) -> list[Sequence]:
    """Return the sequences of a source. Compresses the originals first if the source says so.

    Raises JobError if the files do not match.
    """
    streams_go_on = partial(_until, time.monotonic() + STREAM_SECONDS)
    if isinstance(source, CompressSource):
        originals = originals_of(Path(source.originals), source.raw, report.go_on)
        selected = numbers(originals.count, choice)
        needed = max(selected, default=-1) + 1
        if selected and choice.last is None and choice.most is None:
            needed = originals.count  # `check_counts` then expects a frame for each original.
        if isinstance(originals, Images):
            check = ImageCheck(report.check)
            check.add_equal(originals, range(needed))
            require_fitting(check, report)
        paths = compress(source, originals, needed, folder.path / "streams" / split, report)
        sequences = _named(
            [replace(_sequence(path, originals, streams_go_on), crop=True) for path in paths]
        )
    else:
        sequences = find_pairs(source, report.skip, report.go_on, streams_go_on)
    return [replace(sequence, split=sequence.split or split) for sequence in sequences]


def numbers(count: int, choice: FrameChoice, first: int = 0) -> range:
    """Return the numbers of the selected frames among `count` originals."""
    last = count - 1 if choice.last is None else min(choice.last, count - 1)
    return range(max(choice.first, first), last + 1, choice.step)[: choice.most]


def _until(deadline: float) -> bool:
    return time.monotonic() < deadline


def find_pairs(
    source: PairsSource,
    skip: Skip,
    go_on: GoOn,
    streams_go_on: GoOn,
) -> list[Sequence]:
    """Return the sequences of a source that has inputs and originals.

    Counts the frames of originals as long as `go_on` returns True, and those of streams as long as
    `streams_go_on` does; estimates the rest.
    Raises JobError if the files do not match.
    """
    match source:
        case StreamSource():
            streams, originals = (
                streams_of(Path(source.stream)),
                originals_of(Path(source.originals), source.raw, go_on),
            )
            return _named(
                [_sequence(path, originals, streams_go_on, source.offset) for path in streams]
            )
        case FoldersSource():
            return _named([two_folders(source, skip)])
        case ImportSource():
            return _named(_imported(Path(source.pairs), skip))
        case SequencesSource():
            rows = source.entries or entries(Path(source.manifest))
            originals_at = cache(partial(originals_of, go_on=go_on))  # Many rows may share them.
            sequences = [
                _sequence(Path(row.stream), originals_at(Path(row.originals)), streams_go_on)
                for row in rows
            ]
            return _named(
                [
                    replace(sequence, name=row.name or sequence.name, split=row.split)
                    for sequence, row in zip(sequences, rows, strict=True)
                ]
            )


def _named(sequences: list[Sequence]) -> list[Sequence]:
    """Make names unique: equal names get a number. A single sequence gets an empty name."""
    names = [sequence.name for sequence in sequences]
    if len(sequences) == 1:
        return [replace(sequences[0], name="")]
    return [
        replace(
            sequence,
            name=sequence.name
            if names.count(sequence.name) == 1
            else f"{sequence.name} ({number})",
        )
        for number, sequence in enumerate(sequences, 1)
    ]


def streams_of(path: Path) -> list[Path]:
    """Return the stream, or the streams of a folder in natural order."""
    if not path.is_dir():
        return [path]
    streams = sorted(
        (
            file
            for file in path.iterdir()
            if file.name.lower().endswith(STREAMS) and not file.name.startswith(".")
        ),
        key=lambda file: natural(file.name),
    )
    if not streams:
        raise JobError(
            f"{path.name} contains no stream. "
            f"Choose a stream, or a folder of streams: {', '.join(STREAMS)}."
        )
    return streams


def _sequence(stream: Path, originals: Images | Video, go_on: GoOn, offset: int = 0) -> Sequence:
    facts = video.facts(stream, go_on=go_on)
    if (facts.counted and offset <= -facts.frames) or offset >= originals.count:
        raise JobError(
            f"The offset {offset} leaves no pair: "
            f"{stream.name} has {counted(facts.frames, 'frame')}, "
            f"and {originals.place} has {counted(originals.count, 'original')}. "
            "Give a smaller offset."
        )
    if isinstance(originals, Video):
        originals = replace(originals, fallback_colour=facts.colour)
    return Sequence(
        name=stream.stem,
        scene=originals.place if isinstance(originals, Images) else str(originals.path),
        inputs=Video(stream, facts, qps=True),
        originals=originals,
        offset=offset,
        qp=facts.qp,
        rate=facts.rate,
        colour=facts.colour,
    )


def two_folders(source: FoldersSource, skip: Skip) -> Sequence:
    """Return a sequence of the images of two folders, paired by stem or by order."""
    inputs, targets = Path(source.input), Path(source.target)
    if source.pairing == "order":
        pair = list_images(inputs), list_images(targets)
        if len(pair[0]) != len(pair[1]):
            raise JobError(
                f"{inputs} has {len(pair[0])} images, but {targets} has {len(pair[1])}. "
                "Pairing by order requires equal counts. Add or remove images, or pair by stem."
            )
    else:
        pair = _same_stems(inputs, targets, skip)
    return Sequence(inputs.name, str(targets), Images(pair[0]), Images(pair[1]))


def _imported(path: Path, skip: Skip) -> list[Sequence]:
    """Return a sequence per split of a dataset in the format of another program.

    Without a validation split, one is taken from the training split as the spec says.
    """
    splits = splits_of(path)
    names = {split.name for split in splits}
    if not names & {"train", ""}:
        raise JobError(
            f"{path} has no training split, only {', '.join(sorted(names))}. "
            "Give the folder that has all splits."
        )
    sequences = []
    for split in splits:
        fixed = split.name or "train"
        if fixed == "train" and "val" not in names:
            fixed = ""
        name, scene = split.name or path.name, f"{path}/{split.name}"
        if isinstance(split, Folders):
            sequence = two_folders(
                FoldersSource(input=str(split.input), target=str(split.target)), skip
            )
            maps = _by_stem(split.qp_map) if split.qp_map else {}
            if maps and isinstance(sequence.inputs, Images):
                found = [maps.get(stem(image)) for image in sequence.inputs.paths]
                sequence = replace(sequence, inputs=replace(sequence.inputs, qp_maps=found))
            sequences.append(replace(sequence, name=name, scene=scene, split=fixed))
        else:
            sequences.append(Sequence(name, scene, split.input, split.target, fixed))
    return sequences


def _same_stems(inputs: Path, targets: Path, skip: Skip) -> tuple[list[Path], list[Path]]:
    by_stem = {folder: _by_stem(folder) for folder in (inputs, targets)}
    for folder, other in ((inputs, targets), (targets, inputs)):
        for name, path in by_stem[folder].items():
            if name not in by_stem[other]:
                skip(path.name, f"no image named {name} in {other}")
    both = [name for name in by_stem[inputs] if name in by_stem[targets]]
    if not both:
        examples = (next(iter(by_stem[folder].values())).name for folder in (inputs, targets))
        raise JobError(
            f"No image in {inputs} matches a name in {targets}: "
            f"{' and '.join(examples)} have different stems. Rename the files, or pair by order."
        )
    return [by_stem[inputs][name] for name in both], [by_stem[targets][name] for name in both]


def _by_stem(folder: Path) -> dict[str, Path]:
    by_stem: dict[str, Path] = {}
    for path in list_images(folder):
        if stem(path) in by_stem:
            raise JobError(
                f"{folder} has {by_stem[stem(path)].name} and {path.name} with the same stem. "
                "Remove one of them, or pair by order."
            )
        by_stem[stem(path)] = path
    return by_stem


def check_counts(sequence: Sequence, last: int | None) -> None:
    """Raise Miscount if inputs or originals are missing up to original `last`.

    Nothing is known of a stream whose frames were not all counted.
    """
    if isinstance(sequence.inputs, Video) and not sequence.inputs.facts.counted:
        return
    frames, originals = sequence.inputs.count, sequence.originals.count
    if last is None or last >= min(frames + sequence.offset, originals):
        _check_counts(sequence, frames, originals)


def pairs(sequence: Sequence, last: int | None, warn: Warn) -> Iterator[FramePair]:
    """Yield the pairs of a sequence up to original `last`.

    Raises JobError if one side has more frames than the other.
    """
    inputs, originals = (
        enumerate(sequence.inputs.load(warn)),
        enumerate(sequence.originals.load(warn)),
    )
    for _ in range(sequence.offset):
        next(originals, None)
    for _ in range(-sequence.offset):
        next(inputs, None)
    frame = original = -1
    while last is None or original < last:
        input, target = next(inputs, None), next(originals, None)
        if input is None or target is None:
            _check_counts(
                sequence, _count(inputs, input, frame), _count(originals, target, original)
            )
            return
        (frame, load_input), (original, load_original) = input, target
        yield FramePair(frame, original, load_input, load_original)


def _count(rest: Iterator[tuple[int, Load]], ahead: tuple[int, Load] | None, last: int) -> int:
    """Return the number of frames of a side: `last` was used, `ahead` was read, `rest` follows."""
    return max([last, ahead[0] if ahead else last, *(number for number, _ in rest)]) + 1


def _check_counts(sequence: Sequence, frames: int, originals: int) -> None:
    """Raise Miscount if the offset does not explain a difference in frames and originals."""
    stream, place = sequence.inputs.place, sequence.originals.place
    if frames == 0:
        raise JobError(
            f"No frame of {stream} could be decoded. Give a stream that contains pictures."
        )
    if abs(frames - originals) <= abs(sequence.offset):
        return  # The offset leaves frames at the ends without a partner.
    if frames < originals:
        raise Miscount(
            f"{stream} has {counted(frames, 'frame')}, "
            f"but {place} has {counted(originals, 'original')}.",
            "The stream may be truncated: use the complete stream, or set the last frame to "
            f"{frames - 1 + sequence.offset} to use the available frames.",
        )
    raise Miscount(
        f"{stream} has {counted(frames, 'frame')}, "
        f"but {place} has only {counted(originals, 'original')}.",
        "Add the missing originals, "
        f"or set the last frame to {originals - 1} to use the available originals.",
    )
