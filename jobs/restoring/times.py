"""Times of a video's frames: their unit, the frame rate, and where the output begins."""

from fractions import Fraction

import av
from av.container import InputContainer

from jobs.media.video import videos_of

UNTIMED = ("h264", "hevc")
"""Formats of raw streams, whose frames have no times."""
DECODE_ORDER = ("avi",)
"""Formats that number packets in the order of decoding, and do not say when frames are shown."""
ZERO_IS_START = ("mov,mp4,m4a,3gp,3g2,mj2", "mp4", "mov")
"""Formats whose time 0 is the begin of the presentation. Transport streams begin anywhere."""
DEFAULT_RATE = Fraction(25)


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
    if is_untimed(source):
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
