"""From a source to sequences: runs of inputs, each with its original, decoded when they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.manifest import entries
from jobs.core.report import Report
from jobs.core.suffixes import STREAMS, natural
from jobs.media import video
from jobs.media.h264 import compress
from jobs.media.images import images_in, list_images, stem
from jobs.media.originals import Images, Video, originals_of
from jobs.media.video import Colour, Load, Warn
from jobs.specs.dataset import (
    CompressSource,
    FoldersSource,
    FrameChoice,
    SequencesSource,
    Source,
    StreamSource,
)


@dataclass(frozen=True)
class Sequence:
    """A run of pairs: input n belongs to original n + offset. Sequences of one `scene` share their originals."""

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
    """Whether originals lose the last row or column that H.264 could not keep."""


@dataclass(frozen=True)
class Paired:
    """The numbers and the loads of an input and its original."""

    frame: int
    original: int
    load_input: Load
    load_original: Load


Skip = Callable[[str, str], None]
"""Takes the name of what is left out, and why."""


def find(
    source: Source, wanted: FrameChoice, folder: JobFolder, report: Report, split: str = ""
) -> list[Sequence]:
    """The sequences of a source; compresses first where that is asked for. Raises JobError where files do not fit."""
    if isinstance(source, CompressSource):
        originals = originals_of(Path(source.originals), source.raw)
        needed = max(numbers(originals.count, wanted), default=-1) + 1
        paths = compress(source, originals, needed, folder.path / "streams" / split, report)
        found = _named([replace(_sequence(path, originals), crop=True) for path in paths])
    else:
        found = find_pairs(source, report.skip)
    return [replace(one, split=one.split or split) for one in found]


def numbers(count: int, wanted: FrameChoice, first: int = 0) -> range:
    """The numbers of those of `count` originals that are taken."""
    last = count - 1 if wanted.last is None else min(wanted.last, count - 1)
    return range(max(wanted.first, first), last + 1, wanted.step)[: wanted.most]


def find_pairs(
    source: StreamSource | FoldersSource | SequencesSource, skip: Skip
) -> list[Sequence]:
    """The sequences of a source that has inputs and originals. Raises JobError where files do not fit."""
    match source:
        case StreamSource():
            streams, originals = (
                streams_of(Path(source.stream)),
                originals_of(Path(source.originals), source.raw),
            )
            return _named([_sequence(path, originals, source.offset) for path in streams])
        case FoldersSource():
            return _named([two_folders(source, skip)])
        case SequencesSource():
            listed = source.entries or entries(Path(source.manifest))
            found = [
                _sequence(Path(entry.stream), originals_of(Path(entry.originals)))
                for entry in listed
            ]
            return _named(
                [
                    replace(one, name=entry.name or one.name, split=entry.split)
                    for one, entry in zip(found, listed, strict=True)
                ]
            )


def _named(found: list[Sequence]) -> list[Sequence]:
    """A name for each of several sequences, told apart by number where files are called alike; none for a single one."""
    names = [one.name for one in found]
    if len(found) == 1:
        return [replace(found[0], name="")]
    return [
        replace(one, name=one.name if names.count(one.name) == 1 else f"{one.name} ({number})")
        for number, one in enumerate(found, 1)
    ]


def streams_of(path: Path) -> list[Path]:
    """The stream, or the streams of a folder."""
    if not path.is_dir():
        return [path]
    inside = (
        one
        for one in path.iterdir()
        if one.name.lower().endswith(STREAMS) and not one.name.startswith(".")
    )
    found = sorted(inside, key=lambda one: natural(one.name))
    if not found:
        raise JobError(
            f"{path.name} has no stream in it. Give a stream, or a folder of streams: {', '.join(STREAMS)}."
        )
    return found


def _sequence(stream: Path, originals: Images | Video, offset: int = 0) -> Sequence:
    facts = video.facts(stream)
    if isinstance(originals, Video):
        originals = replace(originals, like=facts.colour)
    return Sequence(
        name=stream.stem,
        scene=originals.place if isinstance(originals, Images) else str(originals.path),
        inputs=Video(stream, facts.frames),
        originals=originals,
        offset=offset,
        qp=facts.qp,
        rate=facts.rate,
        colour=facts.colour,
    )


def two_folders(source: FoldersSource, skip: Skip) -> Sequence:
    """The images of two folders, paired by stem or by order."""
    inputs, targets = Path(source.input), Path(source.target)
    if source.pairing == "order":
        pair = list_images(inputs), list_images(targets)
        if len(pair[0]) != len(pair[1]):
            raise JobError(
                f"{inputs} has {len(pair[0])} images, but {targets} has {len(pair[1])}. To pair them by order there must be as "
                "many of one as of the other; or pair them by stem."
            )
    else:
        pair = _same_stems(inputs, targets, skip)
    return Sequence(inputs.name, str(targets), Images(pair[0]), Images(pair[1]))


def _same_stems(inputs: Path, targets: Path, skip: Skip) -> tuple[list[Path], list[Path]]:
    by_stem = {folder: _by_stem(folder) for folder in (inputs, targets)}
    for folder, other in ((inputs, targets), (targets, inputs)):
        for name, path in by_stem[folder].items():
            if name not in by_stem[other]:
                skip(path.name, f"no image called {name} in {other}")
    both = [name for name in by_stem[inputs] if name in by_stem[targets]]
    if not both:
        examples = (next(iter(by_stem[folder].values())).name for folder in (inputs, targets))
        raise JobError(
            f"No image of {inputs} has a partner of the same name in {targets}: {' and '.join(examples)} are called differently. "
            "Rename them, or pair them by order."
        )
    return [by_stem[inputs][name] for name in both], [by_stem[targets][name] for name in both]


def _by_stem(folder: Path) -> dict[str, Path]:
    list_images(folder)  # Says what is wrong with an empty one.
    found: dict[str, Path] = {}
    for path in images_in(folder):
        if stem(path) in found:
            raise JobError(
                f"{folder} has {found[stem(path)].name} and {path.name}: which of them is meant? Take one away, or pair by order."
            )
        found[stem(path)] = path
    return found


def pairs(sequence: Sequence, last: int | None, warn: Warn) -> Iterator[Paired]:
    """The pairs of a sequence up to original `last`. Raises JobError where one side has more than the other."""
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
                sequence, _counted(inputs, input, frame), _counted(originals, target, original)
            )
            return
        (frame, load_input), (original, load_original) = input, target
        yield Paired(frame, original, load_input, load_original)


def _counted(rest: Iterator[tuple[int, Load]], ahead: tuple[int, Load] | None, last: int) -> int:
    """How many there are, behind the last one that was used."""
    return max([last, ahead[0] if ahead else last, *(number for number, _ in rest)]) + 1


def _check_counts(sequence: Sequence, frames: int, originals: int) -> None:
    """Raises JobError where the numbers of frames and originals cannot belong together."""
    stream, place = sequence.inputs.place, sequence.originals.place
    if frames == 0:
        raise JobError(f"No frame of {stream} could be decoded. Give a stream with pictures in it.")
    if abs(frames - originals) <= abs(sequence.offset):
        return  # What the offset pushes over the ends has no partner.
    if frames < originals:
        raise JobError(
            f"{stream} has {frames} frames, but {place} has {originals} originals. "
            f"The stream may be cut short: give the whole one, or set the last frame to {frames - 1} to use what is there."
        )
    raise JobError(
        f"{stream} has {frames} frames, but {place} has only {originals} originals. "
        f"Add the missing ones, or set the last frame to {originals - 1} to use what is there."
    )
