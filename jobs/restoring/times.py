"""Times of a video's frames: their unit, the frame rate, and where the output begins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer

from jobs.media.video import videos_of

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet

UNTIMED = ("h264", "hevc")
"""Formats of raw streams, whose frames have no times."""
COUNTED = ("mpegvideo", "m4v")
"""Formats of raw streams whose times FFmpeg counts: its average rate is a guess, 25."""
DECODE_ORDER = ("avi",)
"""Formats that number packets in the order of decoding, and do not say when frames are shown."""
ZERO_IS_START = ("mov,mp4,m4a,3gp,3g2,mj2", "mp4", "mov")
"""Formats whose time 0 is the begin of the presentation. Transport streams begin anywhere."""
STATE_LENGTH = ("mov", "matroska")
"""Containers that state the length of the video in their header."""
DEFAULT_RATE = Fraction(25)
JUMPING = ("mpegts", "mpeg")
"""Formats whose clock may start again in the middle of a file."""
WRAP = Fraction(2**33, 90_000)
"""Seconds after which the clock of these formats wraps. FFmpeg unwraps it once."""
LEAST_JUMP = Fraction(1, 10)
"""Seconds. Smaller steps back are errors of a muxer."""


@dataclass
class Clock:
    """Unwraps the times of packets of a format in `JUMPING`.

    Where a clock wraps for a second time, or starts again because files were joined, the times
    continue. A step of more than half a wrap is one in the other direction. All streams move by the
    same time, each from its own packet on. Jumps back are reported to `on_jump`, in seconds.
    """

    on_jump: Callable[[Fraction], None]
    _moves: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    _last: dict[int, Fraction] = field(default_factory=dict)
    """The last decoding time (s) of each stream, by its index, before moves."""
    _lengths: dict[int, Fraction] = field(default_factory=dict)
    """The last duration (s) of each stream."""
    _jumps: dict[int, int] = field(default_factory=dict)
    """The number of jumps of each stream."""

    def correct(self, packet: Packet) -> None:
        """Move the times of a packet."""
        if packet.time_base is None:
            return
        index = packet.stream.index
        if packet.dts is not None:
            time = packet.dts * packet.time_base
            self._follow(index, time - self._last.get(index, time))
            self._last[index] = time
            self._lengths[index] = (packet.duration or 0) * packet.time_base
        move = round(self._moves[self._jumps.get(index, 0)] / packet.time_base)
        if move:
            packet.dts = None if packet.dts is None else packet.dts + move
            packet.pts = None if packet.pts is None else packet.pts + move

    def _follow(self, index: int, step: Fraction) -> None:
        """Note a jump of a stream. `step`: seconds since its packet before."""
        if -LEAST_JUMP <= step < WRAP / 2:
            return
        self._jumps[index] = self._jumps.get(index, 0) + 1
        if self._jumps[index] < len(self._moves):
            return  # As the stream that jumped first.
        true_step = (step + WRAP / 2) % WRAP - WRAP / 2
        if true_step < -LEAST_JUMP:
            self.on_jump(-true_step)
            true_step = self._lengths[index]
        self._moves.append(self._moves[-1] + true_step - step)


def is_untimed(source: InputContainer) -> bool:
    """Whether the frames have no times, as in raw H.264."""
    return source.format.name in UNTIMED


def signals_rate(source: InputContainer) -> bool:
    """Whether a raw stream signals its frame rate.

    The codec has the rate of the stream's header. The demuxer's rates are guesses: without a
    signal it takes 25 frames per second.
    """
    return bool(videos_of(source)[0].codec_context.framerate)


def frame_rate(source: InputContainer) -> Fraction:
    """The frames per second: of the stream's header if the container has no times, or 25."""
    video = videos_of(source)[0]
    if is_untimed(source):
        return video.codec_context.framerate if signals_rate(source) else DEFAULT_RATE
    if source.format.name in COUNTED:
        return video.guessed_rate or DEFAULT_RATE
    return video.average_rate or video.guessed_rate or DEFAULT_RATE


def time_base(source: InputContainer) -> Fraction:
    """The unit of the frames' times (s): the stream's, or a frame's length for untimed streams."""
    if is_untimed(source):
        return 1 / frame_rate(source)
    return videos_of(source)[0].time_base or Fraction(1, 90_000)


def origin(source: InputContainer, target: str, first: av.VideoFrame) -> Fraction:
    """The time of the input (s) that is 0 in an output of the format `target`.

    Times before 0, as those of a transport stream before its clock of 33 bits wraps, would not be
    played. A late begin stays where both formats mean by it that nothing is shown before; an .mp4
    of a transport stream would otherwise show nothing for hours.
    """
    if is_untimed(source) or source.format.name in COUNTED:
        return Fraction(0)
    frame = (first.pts or 0) * time_base(source)
    if source.format.name in ZERO_IS_START:
        return min(frame, Fraction(0))  # Sound before 0 fills the decoder: the muxer handles it.
    start = min([frame, *_starts(source)])
    return start if target in ZERO_IS_START else min(start, Fraction(0))


def _starts(source: InputContainer) -> list[Fraction]:
    """The start times (s) of pictures and sound. Subtitles may begin much earlier or later."""
    return [
        stream.start_time * stream.time_base
        for stream in (*videos_of(source), *source.streams.audio)
        if stream.start_time is not None and stream.time_base is not None
    ]


def stated_end_of(container: InputContainer) -> Fraction | None:
    """The time (s) at which picture and sound end by the header; None if it does not say."""
    if not any(name in container.format.name for name in STATE_LENGTH):
        return None
    length = container.duration
    if "matroska" in container.format.name:
        # It counts from time 0. FFmpeg takes it for the length of a track without packets as well,
        # but counts that from the first frame of the file.
        return Fraction(length, av.time_base) if length else None
    ends = [
        (stream.start_time + stream.duration) * stream.time_base
        for stream in (*videos_of(container), *container.streams.audio)
        if stream.start_time is not None and stream.duration and stream.time_base
    ]
    if ends:  # FFmpeg's length of an .mp4 counts subtitles too, from another start.
        return max(ends)
    return Fraction(length + (container.start_time or 0), av.time_base) if length else None
