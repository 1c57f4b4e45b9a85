"""Check of a dataset's images by their headers: all misfits are found before any pair is made."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import av

from jobs.core.errors import JobError
from jobs.core.report import Report
from jobs.media.images import Header, conversion_notes, read_header
from jobs.media.originals import Images, Packed, Video
from jobs.media.video import decode_frames

if TYPE_CHECKING:
    from jobs.datasets.sources import Sequence

MAX_NAMES = 5
"""Names of images in one sentence."""
MAX_UNREADABLE = 50
"""Unreadable images that are listed, in a sentence each."""

DECODE_SECONDS = 5.0
"""Time for decoding a stream whose originals have another size. Few streams change their size."""

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass
class ImageCheck:
    """The headers of a dataset's images, each read once, and a sentence on each misfit."""

    check: Callable[[], None]
    """Called before each file; it raises Aborted if a user stops the job."""
    headers: dict[Path, Header | None] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    other_sizes: list[str] = field(default_factory=list)
    deep_videos: list[str] = field(default_factory=list)
    """A sentence on each video with more than 8 bits per value."""

    @property
    def misfits(self) -> list[str]:
        more = len(self.unreadable) - MAX_UNREADABLE
        rest = [f"{more:,} more images cannot be read."] if more > 0 else []
        return [*self.other_sizes, *self.unreadable[:MAX_UNREADABLE], *rest]

    def notes(self) -> list[str]:
        """A sentence on each kind of conversion that images and videos need."""
        return [
            *conversion_notes(header for header in self.headers.values() if header),
            *self.deep_videos,
        ]

    def size(self, path: Path) -> Size | None:
        """The size of an image, or None if it cannot be read."""
        if path not in self.headers:
            self.check()
            try:
                self.headers[path] = read_header(path)
            except JobError as error:
                self.headers[path] = None
                self.unreadable.append(f"{path.parent}/{error}")
        header = self.headers[path]
        return (header.width, header.height) if header else None

    def add(self, sequence: "Sequence", numbers: Iterable[int]) -> None:
        """Compare the given originals of a sequence with their inputs."""
        self.add_depths(sequence.inputs, sequence.originals)
        if sequence.crop:
            return  # The originals were compared before compression.
        if isinstance(sequence.originals, Packed):
            return  # To read their headers is to read them all: each is compared when it is used.
        if isinstance(sequence.originals, Video):
            self._add_videos(sequence.inputs, sequence.originals)
            return
        misfits: dict[tuple[Size, Size], list[int]] = {}
        for number, input, target in _sizes(self, sequence, sequence.originals, numbers):
            if input and target and input != target:
                misfits.setdefault((input, target), []).append(number)
        self.other_sizes += [
            _sentence(sequence, sequence.originals, numbers, input, target)
            for (input, target), numbers in misfits.items()
        ]

    def add_depths(self, *sides: Images | Video) -> None:
        """Note videos with more than 8 bits per value: datasets store 8."""
        for video in (side for side in sides if isinstance(side, Video)):
            components = av.VideoFormat(video.facts.pixel_format).components
            bits = max(component.bits for component in components)
            note = f"{video.place} has {bits} bits per value, rounded to 8 for the dataset."
            if bits > 8 and note not in self.deep_videos:
                self.deep_videos.append(note)

    def _add_videos(self, inputs: Images | Video, originals: Video) -> None:
        if isinstance(inputs, Video) and inputs.size != originals.size:
            self.other_sizes.append(
                f"{originals.name(0)} is {_text(originals.size)}, but the frames of {inputs.place} "
                f"are {_text(inputs.size)}. Choose the originals of this stream."
            )

    def add_equal(self, originals: Images, numbers: Iterable[int]) -> None:
        """Compare originals with the first of them: a stream has one size."""
        sizes = {number: self.size(originals.paths[number]) for number in numbers}
        first = next((size for size in sizes.values() if size), None)
        others: dict[Size, list[str]] = {}
        for number, size in sizes.items():
            if size and size != first:
                others.setdefault(size, []).append(originals.name(number))
        self.other_sizes += [
            f"{_subject(originals, names)} {_text(size)}, but the first original is "
            f"{_text(first or size)}. Give originals of one size: a stream has one size."
            for size, names in others.items()
        ]


def _sizes(
    check: ImageCheck, sequence: "Sequence", originals: Images, numbers: Iterable[int]
) -> Iterator[tuple[int, Size | None, Size | None]]:
    """Yield the number of each original, the size of its input, and its own size."""
    inputs = sequence.inputs
    frames: list[Size] | None = None
    for number in numbers:
        target = check.size(originals.paths[number])
        if isinstance(inputs, Images):
            yield number, check.size(inputs.paths[number - sequence.offset]), target
        elif target and target != inputs.size:
            # A stream may change its size: only decoding shows the size of each frame.
            frames = _frame_sizes(inputs, check.check) if frames is None else frames
            frame = number - sequence.offset
            yield number, frames[frame] if frame < len(frames) else inputs.size, target


def _frame_sizes(video: Video, check: Callable[[], None]) -> list[Size]:
    """The sizes of the frames that are decoded in DECODE_SECONDS."""
    sizes: list[Size] = []
    deadline = time.monotonic() + DECODE_SECONDS
    for frame in decode_frames(video.path, raw=video.raw):
        check()
        sizes.append((frame.width, frame.height))
        if time.monotonic() > deadline:
            break
    return sizes


def _sentence(
    sequence: "Sequence", originals: Images, numbers: list[int], input: Size, target: Size
) -> str:
    names = [originals.name(number) for number in numbers]
    inputs = sequence.inputs
    first = inputs.name(numbers[0] - sequence.offset)
    if len(numbers) == 1:
        other = f"{inputs.place}/{first}" if isinstance(inputs, Images) else first
        partner = f"{other} is {_text(input)}"
    else:
        kind = "inputs in" if isinstance(inputs, Images) else "frames in"
        partner = f"their {kind} {inputs.place} are {_text(input)}"
    return (
        f"{_subject(originals, names)} {_text(target)}, but {partner}. "
        "Remove the files, or choose the matching folder."
    )


def _subject(originals: Images, names: list[str]) -> str:
    """The images and their verb: "/gt/a.png is", or "2 images of /gt (a.png, b.png) are"."""
    if len(names) == 1:
        return f"{originals.place}/{names[0]} is"
    listed = ", ".join(names[:MAX_NAMES])
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return f"{len(names):,} images of {originals.place} ({listed}{more}) are"


def _text(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def require_fitting(check: ImageCheck, report: Report) -> None:
    """Report the conversions that the images need. Raises JobError with all misfits."""
    if check.misfits:
        raise JobError(" ".join(check.misfits))
    for note in check.notes():
        report.message(note, "warning")
