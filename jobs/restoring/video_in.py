"""Reading a video: its frames as shots, and the packets of its other streams."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from jobs.core.errors import JobError
from jobs.core.limits import too_large
from jobs.core.report import Report
from jobs.media.qp_maps import QpMap, coding_of, prepare_decoder
from jobs.media.video import is_cover, to_deep_picture, to_picture, videos_of
from jobs.restoring import planes
from jobs.restoring.losses import Losses
from jobs.restoring.planes import Layout, Plane
from jobs.restoring.times import (
    COUNTED,
    DECODE_ORDER,
    JUMPING,
    Clock,
    Packet,
    frame_rate,
    is_untimed,
    signals_rate,
    stated_end_of,
    time_base,
)

MISSING_SECONDS = 0.25
"""A file that ends this much before its stated length is truncated."""


@dataclass(frozen=True)
class Shot:
    """A frame in the pipeline.

    `pts` and `duration` are in units of `time_base` (s); a duration of 0 is unknown. `rgb` is the
    picture if the network's input is RGB: uint8, or for planes of more bits float32 in 0 to 1.
    `qp`, the QPs if the network takes them and they are known.
    """

    number: int
    pts: int
    duration: int
    time_base: Fraction
    planes: list[Plane]
    rgb: NDArray[Any] | None
    qp: QpMap | None = None


@dataclass
class Batch:
    """Consecutive shots, and the packets of other streams that the demuxer read with them.

    `inputs` are the unrestored shots if the input is also written as a video.
    """

    shots: list[Shot]
    packets: list[Packet]
    inputs: list[Shot]


class VideoIn:
    """The frames of a video as shots, and the packets of the streams that are copied.

    `copied_streams` holds the indexes of these streams; `covers` the packets of cover art, by
    stream, which are before those of the first frame. `why` is the reason if the video breaks.
    `rgb` and `qps`: whether the network's input is RGB, and whether it has the QPs. `depths`: the
    bits per value that the output may have, rising.
    """

    def __init__(
        self,
        container: InputContainer,
        name: str,
        report: Report,
        rgb: bool,
        qps: bool,
        depths: Sequence[int],
    ) -> None:
        self._container, self._name, self._report, self._rgb = container, name, report, rgb
        self._video, self._qps, self._depths = videos_of(container)[0], qps, depths
        prepare_decoder(self._video, qps)
        self._time_base = time_base(container)
        self._next_pts = 0
        self._is_counted = container.format.name in COUNTED
        self._counted_from: int | None = None
        """The time of the first frame of a raw stream: FFmpeg counts its reordering too."""
        self._frame_ticks = round(1 / frame_rate(container) / self._time_base)
        self._in_decode_order = container.format.name in DECODE_ORDER
        self._decode_times: deque[int] = deque()
        self._end = Fraction(0)
        self._packets: list[Packet] = []
        self._frames = self._decode()
        self.copied_streams: list[int] = []
        self.covers: dict[int, Packet] = {}
        self.why = ""
        self._count = 0
        self._qp: QpMap | None = None
        self._losses = Losses(name, self._video, report, depths)
        jumps = container.format.name in JUMPING
        self._clock = Clock(self._report_jump) if jumps else None

    @property
    def total(self) -> int | None:
        """The number of frames, as stated or estimated from the length; None if unknown."""
        video = self._video
        if video.frames:
            return video.frames
        rate, length = video.average_rate, self._container.duration
        return (
            int(length / av.time_base * rate)
            if rate and length and self._container.format.name != "h264"
            else None
        )

    def first(self) -> av.VideoFrame | None:
        """The first frame, which determines the output's format; None if there is none.

        `batches` returns this frame again.
        """
        if is_untimed(self._container) and not signals_rate(self._container):
            self._report.message(
                f"{self._name} does not signal its frame rate: the output has "
                f"{frame_rate(self._container)} frames per second."
            )
        first = next(self._frames, None)
        if isinstance(first, av.VideoFrame):
            self._frames = chain((first,), self._frames)
            # FFmpeg's own decoder of VP8 and VP9 ignores the second stream, which has the alpha.
            self._losses.begin(first, alpha=self._video.metadata.get("alpha_mode") == "1")
        return first

    def batches(self, batch_size: Callable[[int, int], int]) -> Iterator[Batch]:
        """All frames and packets in batches.

        `batch_size` returns the size of a batch for the width and height of a frame. Ends before a
        frame of another size or pixel format. Raises JobError for a frame over the memory limit.
        """
        batch, layout, size = Batch([], [], []), None, 1
        for frame in self._frames:
            why = too_large(frame.width, frame.height)
            if why:
                raise JobError(f"Frame {self._count} of {self._name} is refused: {why}.")
            planar = planes.planar(frame, self._depths)
            if layout is None:
                layout, size = planes.layout_of(planar), batch_size(frame.width, frame.height)
            if planes.layout_of(planar).format != layout.format:
                self._note_break(
                    f"Frame {self._count} of {self._name} has another pixel format than the "
                    "frames before it, but the output can have only one. The frames before it are "
                    "restored."
                )
                break
            if (frame.width, frame.height) != (layout.width, layout.height):
                self._note_break(
                    f"Frame {self._count} of {self._name} is {frame.width}×{frame.height}, but "
                    f"the first frame is {layout.width}×{layout.height}, and the output can have "
                    "only one size. The frames before it are restored."
                )
                break
            self._losses.note(frame, self._count)
            batch.shots.append(self._shot(frame, planar, layout))
            batch.packets += self._take_packets()
            if len(batch.shots) >= size:
                yield batch
                batch = Batch([], [], [])
        batch.packets += self._take_packets()
        if batch.shots or batch.packets:
            yield batch
        self._losses.end(self._count)

    def _take_packets(self) -> list[Packet]:
        packets, self._packets = self._packets, []
        return [packet for packet in packets if packet.stream.index in self.copied_streams]

    def _shot(self, frame: av.VideoFrame, planar: av.VideoFrame, layout: Layout) -> Shot:
        if is_untimed(self._container):
            pts = self._count
        else:
            # A frame without a time, or with a time that goes back, follows the frame before it.
            pts = (
                self._next_pts
                if frame.pts is None
                else max(frame.pts, self._next_pts if self._count else frame.pts)
            )
        self._next_pts = (
            pts + 1
            if frame.pts is not None or is_untimed(self._container)
            else pts + max(frame.duration or 0, 1)
        )
        copies = planes.planes_of(planar)
        rgb = _rgb(copies, planar, layout) if self._rgb else None
        self._count += 1
        duration = 1 if is_untimed(self._container) else frame.duration or 0
        if self._qps:
            qp = coding_of(frame).qp
            # FFmpeg reports nothing of the last frame of MPEG-2.
            self._qp = self._qp if qp is None else qp
        return Shot(self._count - 1, pts, duration, self._time_base, copies, rgb, self._qp)

    def _note_break(self, why: str) -> None:
        self.why = self.why or why

    def _decode(self) -> Iterator[av.VideoFrame]:
        """The frames in display order.

        Skips a packet that cannot be decoded, as players do, and notes it in `why`.
        """
        number = 0
        # Demuxing only the video stream would skip the packets of the others.
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                self._check_end(number)
                return
            except av.error.FFmpegError as error:
                self._note_break(
                    f"{self._name} cannot be read after frame {number - 1}: {error_text(error)}. "
                    "The frames before that are restored."
                )
                with suppress(av.error.FFmpegError):
                    yield from self._timed(self._video.decode(None))
                return
            if self._clock is not None:
                self._clock.correct(packet)
            self._extend_end(packet)
            if is_cover(packet.stream):
                if packet.size:
                    self.covers[packet.stream.index] = packet
                continue
            if packet.stream.index != self._video.index:
                if packet.dts is not None and packet.stream.type in ("audio", "subtitle"):
                    self._packets.append(packet)
                continue
            if packet.size and packet.dts is not None and self._in_decode_order:
                self._decode_times.append(packet.dts)
            self._losses.note_packet(packet)
            try:
                for frame in self._timed(self._video.decode(packet)):
                    yield frame
                    number += 1
            except av.error.FFmpegError as error:
                self._losses.note_undecodable()
                if self._decode_times:
                    self._decode_times.pop()
                self._note_break(
                    f"{self._name}: the data after frame {number - 1} cannot be decoded "
                    f"({error_text(error)}) and is skipped."
                )

    def _report_jump(self, back: Fraction) -> None:
        self._report.message(
            f"The times of {self._name} jump back by {float(back):.2f} s after frame "
            f"{self._count}: the output goes on without a gap.",
            "warning",
        )

    def _timed(self, frames: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The frames with times.

        Decoding and display order have the same times if the container has no others: the first
        frame that is shown gets the first of them.
        """
        for frame in frames:
            if self._is_counted and frame.pts is not None:
                if self._counted_from is None:
                    self._counted_from = frame.pts
                frame.pts -= self._counted_from
                frame.duration = frame.duration or self._frame_ticks
            if self._decode_times:
                frame.pts = self._decode_times.popleft()
            yield frame

    def _extend_end(self, packet: Packet) -> None:
        if packet.pts is not None and packet.time_base is not None:
            self._end = max(self._end, (packet.pts + (packet.duration or 0)) * packet.time_base)

    def _check_end(self, number: int) -> None:
        """Note a truncated file: the demuxer reports no error for it.

        Only the header states how long the video is.
        """
        stated_end = stated_end_of(self._container)
        frame_seconds = 1 / float(self._video.average_rate or 25)
        if (
            self._end
            and stated_end is not None
            and stated_end - self._end > max(MISSING_SECONDS, 2 * frame_seconds)
        ):
            self._note_break(
                f"{self._name} is truncated: it ends after frame {number - 1}, at "
                f"{float(self._end):.2f} s of {float(stated_end):.2f} s. The frames before that "
                "are restored."
            )


def _rgb(copies: list[Plane], planar: av.VideoFrame, layout: Layout) -> NDArray[Any]:
    """The frame in RGB (H, W, 3), as in `Shot`: with 8 bits, converted as in the datasets.

    Gray frames get neutral chroma, so that the conversion applies their range.
    """
    if layout.family == "gray":
        planar = planes.as_frame(copies, layout, "yuv444p", layout.width, layout.height)
    if layout.bits == 8:
        return to_picture(planar)
    deep = to_deep_picture(planar)
    return np.minimum(deep / np.float32(layout.white_of_rgb48), np.float32(1))


def error_text(error: Exception) -> str:
    """The message of an error of FFmpeg or of the operating system."""
    return str(getattr(error, "strerror", None) or error)
