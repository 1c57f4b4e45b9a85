"""Reading a written video again: whether the file holds what was put into it.

What a container stores of tags, flags and chapters depends on its muxer. The file itself is asked.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from jobs.media.video import videos_of
from jobs.restoring.times import JUMPING, Clock

IGNORED_TAGS = {
    *("encoder", "software", "major_brand", "minor_version", "compatible_brands", "duration"),
    *("handler_name", "vendor_id", "alpha_mode", "variant_bitrate"),
}
"""Tags that describe the input file itself. `alpha_mode` belongs to transparency."""
TOLERANCE = Fraction(2, 1000)
"""Seconds. Matroska rounds times to milliseconds."""


@dataclass
class Written:
    """Frames that were put into a file: how many, and the times (s) of the first and last."""

    frames: int = 0
    first: Fraction | None = None
    last: Fraction | None = None

    def add(self, time: Fraction | None) -> None:
        """Count a frame. `time` is None in a raw stream."""
        self.frames += 1
        if time is not None:
            self.first = time if self.first is None else min(self.first, time)
            self.last = time if self.last is None else max(self.last, time)

    @property
    def span(self) -> Fraction:
        """Seconds from the first frame to the last; 0 in a raw stream."""
        return (self.last or Fraction(0)) - (self.first or Fraction(0))

    def __str__(self) -> str:
        if self.first is None or self.last is None:
            return f"{self.frames} frames"
        return f"{self.frames} frames from {float(self.first):.3f} s to {float(self.last):.3f} s"


def read(path: Path, format: str) -> Written:
    """The frames of a file that players show; none if FFmpeg cannot read it.

    Frames before the start of an edit list are in the file, but are not shown.
    """
    shown, clock = Written(), Clock(lambda back: None)
    try:
        with av.open(str(path.absolute()), format=format) as container:
            for packet in container.demux(videos_of(container)[0]):
                if format in JUMPING:
                    clock.correct(packet)
                if packet.size and not packet.is_discard:
                    shown.add(None if packet.pts is None else packet.pts * packet.time_base)
    except (av.error.FFmpegError, IndexError):
        pass  # What was read until then is compared with what was written.
    return shown


def fault(path: Path, format: str, written: Written) -> str:
    """What a file lacks of what was written into it; empty if it lacks nothing.

    A container may move all times together, but not before 0.
    """
    found = read(path, format)
    same_times = found.first is None or (
        found.first >= -TOLERANCE and abs(found.span - written.span) <= TOLERANCE
    )
    if found.frames == written.frames and same_times:
        return ""
    return (
        f"The written file does not hold what was put into it: it shows {found}, "
        f"of {written}. Choose another container, such as .mkv."
    )


def losses(
    source: InputContainer, path: Path, format: str, pairs: dict[int, int], empty: set[int]
) -> list[str]:
    """What a file lacks of the input's tags, flags and chapters, as sentences.

    `pairs` maps the indexes of the input's streams to those of the file. `empty`: the indexes of
    those without a packet, which some containers leave out.
    """
    with av.open(str(path.absolute()), format=format) as output:
        lost = [_lost_tags("the file", source.metadata, output.metadata)]
        # FFmpeg shows chapters of an .mp4 also as a stream of this name.
        if sum(stream.name != "bin_data" for stream in output.streams) <= max(pairs.values()):
            lost += [f"stream {index}, which has no content" for index in sorted(empty)]
            removed = [pairs.pop(index) for index in empty]
            pairs = {old: new - sum(gap < new for gap in removed) for old, new in pairs.items()}
        for old, new in pairs.items():
            before, after = source.streams[old], output.streams[new]
            lost.append(_lost_tags(f"stream {old}", before.metadata, after.metadata))
            flags = before.disposition & ~after.disposition
            if sum(stream.type == before.type for stream in source.streams) == 1:
                flags &= ~Disposition.default  # It chooses between streams of a type.
            if flags:
                lost.append(f"the flag {flags.name} of stream {old}")
        chapters = len(source.chapters()) - len(output.chapters())
        if chapters > 0:
            lost.append(f"{chapters} chapters")
    return [f"Lost, because this container does not store it: {text}." for text in lost if text]


def _lost_tags(owner: str, before: dict[str, str], after: dict[str, str]) -> str:
    kept = {name.lower() for name in after}
    lost = [
        name
        for name, value in before.items()
        if name.lower() not in kept | IGNORED_TAGS
        and not name.startswith(("_STATISTICS", "BPS", "NUMBER_OF_"))
        and (name, value) != ("language", "und")
    ]
    return f"{', '.join(lost)} of {owner}" if lost else ""
