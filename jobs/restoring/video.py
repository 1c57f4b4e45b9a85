"""Restoring a video: decoding, the network and encoding at the same time, a thread each, with a few frames in between.

The times of the frames, their aspect and rotation, what is told of their colours, and the sound are kept. The output is written
under another name and gets its own at the end; so are the copies for a browser beside it.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import torch
from av.container import InputContainer
from torch import Tensor

from jobs.core.errors import Aborted, JobError
from jobs.core.limits import too_large
from jobs.core.report import Report
from jobs.media.video import nothing, open_video, to_picture
from jobs.restoring import planes
from jobs.restoring.outputs import check_video
from jobs.restoring.pipeline import Lane
from jobs.restoring.planes import Layout
from jobs.restoring.video_out import (
    DiskFull,
    Shot,
    VideoOut,
    raw_rate,
    says_rate,
    time_base,
    untimed,
    words,
)
from jobs.specs.test import Codec
from models import tiles
from models.restorer import Restorer

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet

UNIT = "frames"
BATCHES = 2
"""That wait between two threads."""
BATCH_PIXELS = {"cpu": 2**17, "cuda": 2**22}
"""Pixels that the network is given at once. On a processor more take longer: they do not fit its cache."""
MOST = 16
"""Frames of a batch, and packets of other streams behind them."""
SHORT = 0.25
"""Seconds that a file may end before the length it tells."""
TELL_LENGTH = ("mov", "matroska")


@dataclass(frozen=True)
class Restored:
    """What came of a video, or of images. `why`: a sentence where it is not whole; `out` is then what there is of it."""

    frames: int
    seconds: float
    width: int
    height: int
    codec: str
    out: Path
    why: str = ""

    @property
    def frames_per_second(self) -> float:
        return self.frames / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Model:
    """What restores: a network on its device, in eval, for images of so many channels (3 for RGB, or 1)."""

    restorer: Restorer
    channels: int
    limit: int
    """Bytes that layers may take."""


@dataclass
class _Batch:
    """Frames, and the packets of other streams behind them; `inputs` are the frames as they were, where somebody wants them."""

    shots: list[Shot]
    packets: list[Packet]
    inputs: list[Shot]


@dataclass(frozen=True)
class Copies:
    """Two videos of the same times that any browser plays: the input, and the output where what was asked for is no such
    video. They are made with it, so that they are there however it ends."""

    input: Path
    output: Path

    @property
    def drafts(self) -> dict[Path, Path]:
        """The name of each while it is written, and its own."""
        return {path.with_name(f".{path.name}.part"): path for path in (self.input, self.output)}


def restore_video(
    source: Path,
    out: Path,
    model: Model,
    report: Report,
    codec: Codec = "h264",
    overwrite: bool = False,
    copies: Copies | None = None,
    frames: int | None = None,
) -> Restored:
    """Restore a video into a file that its ending names the container of; tells progress, and what is not kept, to `report`.

    A network of grayscale restores the brightness; colours stay as they are. Where the video breaks in the middle, what is
    before that is the output, and the reason is said with it. What was restored before the disk was full, or before somebody
    stopped it (`report.check`), is kept as NAME.partial.ENDING. Raises JobError where there is nothing to keep.
    `frames`: how many there are, where that is known.
    """
    check_video(source, out, codec, overwrite)
    draft = out.with_name(f".{out.name}.part")
    beside = copies.drafts if copies else {}
    began = time.monotonic()
    with open_video(source) as container:
        work = _Work(container, source.name, model, report, frames)
        try:
            whole = work.run(draft, out, codec, beside)
            if not work.written:
                raise JobError(
                    work.why
                    or f"No frame of {source.name} could be decoded. Give a stream with pictures in it."
                )
            named = out if whole else out.with_name(f"{out.stem}.partial{out.suffix}")
            os.replace(draft, named)
            for other in filter(Path.exists, beside):
                os.replace(other, beside[other])
        except OSError as error:
            raise JobError(f"{out} cannot be written: {words(error)}. Nothing was kept.") from error
        finally:
            for left in (draft, *beside):
                left.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        return Restored(work.written, seconds, *work.size, codec, named, work.why)


class _Work:
    """One video on its way through three threads: this one has the network."""

    def __init__(
        self, container: InputContainer, name: str, model: Model, report: Report, frames: int | None
    ) -> None:
        self._container, self._name, self._report, self._frames = container, name, report, frames
        self._painter = _Painter(model)
        self._decoded: Lane[_Batch] = Lane(BATCHES)
        self._restored: Lane[_Batch] = Lane(BATCHES)
        self._of_input: list[VideoOut] = []
        self._of_output: list[VideoOut] = []
        self.why = ""
        self.written = 0
        self.size = (0, 0)

    def run(self, draft: Path, out: Path, codec: Codec, beside: dict[Path, Path]) -> bool:
        """Whether all of the video that can be read was written. Raises JobError, and what went wrong in a thread."""
        self._report.begin(0)
        shots = _Reader(self._container, self._name, self._report, self._painter.wants_rgb)
        first = shots.first()
        if first is None:
            self.why = shots.why
            return True
        output = VideoOut(draft, out, codec, self._container, first, self._warn)
        self._painter.layout = output.layout
        shots.wanted = output.wanted
        self.size = (output.width, output.height)
        stopped = full = flush = False
        outputs = [output]
        try:
            for path, named in list(beside.items())[: 1 if output.plays else 2]:
                outputs.append(
                    VideoOut(path, named, "h264", self._container, first, nothing, to_look_at=True)
                )
            self._of_input, self._of_output = outputs[1:2], [output, *outputs[2:]]
            with ThreadPoolExecutor(2, "restore") as threads:
                reading = threads.submit(self._read, shots)
                writing = threads.submit(self._write)
                try:
                    self._restore(self._frames or shots.total)
                except Aborted:
                    stopped = True
                finally:
                    self._decoded.close()
                    self._restored.close()
            reading.result()
            writing.result()
            flush = True
        except DiskFull:
            full = True
        finally:
            with ExitStack() as closing:  # All of them, though one fails.
                for one in outputs:
                    closing.callback(one.close, flush)
        self.written, self.why = output.frames, shots.why
        self._report.progress(self.written, self.written, UNIT)
        if full:
            self.why = f"The disk is full: {self.written} frames are whole. Make room, then restore it again."
        elif stopped:
            self.why = f"Stopped after {self.written} frames."
        return not (full or stopped)

    def _warn(self, text: str) -> None:
        self._report.message(text, "warning")

    def _read(self, shots: "_Reader") -> None:
        try:
            for batch in shots.batches(self._painter.at_once):
                if not self._decoded.put(batch):
                    return
        finally:
            self._decoded.close()

    def _restore(self, total: int | None) -> None:
        for batch in self._decoded:
            self._report.check()
            inputs = batch.shots if self._of_input else []
            if not self._restored.put(
                _Batch(self._painter.restore(batch.shots), batch.packets, inputs)
            ):
                return
            if self.written:
                self._report.progress(self.written, total, UNIT)

    def _write(self) -> None:
        try:
            for batch in self._restored:
                for packet in batch.packets:
                    index = packet.stream.index
                    for one in (*self._of_output, *self._of_input):
                        if index in one.wanted:
                            one.copy(packet, index)
                for shot in batch.inputs:
                    for one in self._of_input:
                        one.write(shot)
                for shot in batch.shots:
                    for one in self._of_output:
                        one.write(shot)
                    self.written += 1
        finally:
            self._restored.close()


class _Reader:
    """The frames of a video as shots, and the packets of the streams that are copied. `why`: where it breaks, in words."""

    def __init__(self, container: InputContainer, name: str, report: Report, rgb: bool) -> None:
        self._container, self._name, self._report, self._rgb = container, name, report, rgb
        self._video = container.streams.video[0]
        self._video.thread_type = "AUTO"
        self._base = time_base(container)
        self._next = 0
        self._end = Fraction(0)
        self._early: list[Packet] = []
        self._frames = self._decode()
        self.wanted: list[int] = []
        self.why = ""
        self._read = 0

    @property
    def total(self) -> int | None:
        """Frames, as the file tells them, or by its length; None where it tells neither."""
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
        """The first frame, which tells how the output must be made; it is handed out again. None where there is none."""
        if untimed(self._container) and not says_rate(self._container):
            self._report.message(
                f"{self._name} does not say its frame rate: it gets {raw_rate(self._container)} frames a second."
            )
        first = next(self._frames, None)
        if isinstance(first, av.VideoFrame):
            self._frames = _again(first, self._frames)
            lost = planes.loss_of(first)
            if lost:
                self._report.message(
                    f"The output has 8 bits a value and no more than the video's Y, Cb and Cr: {lost}.",
                    "warning",
                )
            if first.interlaced_frame:
                self._report.message(
                    "The video is interlaced: both fields of a frame are restored as one picture.",
                    "warning",
                )
        return first

    def batches(self, at_once: Callable[[int, int], int]) -> Iterator[_Batch]:
        batch, layout, size = _Batch([], [], []), None, 1
        for frame in self._frames:
            why = too_large(frame.width, frame.height)
            if why:
                raise JobError(f"Frame {self._read} of {self._name} is refused: {why}.")
            flat = planes.planar(frame)
            if layout is None:
                layout, size = planes.layout_of(flat), at_once(frame.width, frame.height)
            if planes.layout_of(flat).format != layout.format:
                self._break(
                    f"Frame {self._read} of {self._name} has another pixel format than those before it: an output has one. The "
                    "frames before it are restored."
                )
                break
            if (frame.width, frame.height) != (layout.width, layout.height):
                self._break(
                    f"Frame {self._read} of {self._name} is {frame.width}x{frame.height}, but the video began with "
                    f"{layout.width}x{layout.height}: an output has one size. The frames before it are restored."
                )
                break
            batch.shots.append(self._shot(frame, flat, layout))
            batch.packets += self._taken()
            if len(batch.shots) >= size:
                yield batch
                batch = _Batch([], [], [])
        batch.packets += self._taken()
        if batch.shots or batch.packets:
            yield batch

    def _taken(self) -> list[Packet]:
        taken, self._early = self._early, []
        return [packet for packet in taken if packet.stream.index in self.wanted]

    def _shot(self, frame: av.VideoFrame, flat: av.VideoFrame, layout: Layout) -> Shot:
        if untimed(self._container):
            pts = self._read
        else:
            # Without a time of its own, or with one that goes back, a frame follows the last one.
            pts = (
                self._next
                if frame.pts is None
                else max(frame.pts, self._next if self._read else frame.pts)
            )
        self._next = (
            pts + 1
            if frame.pts is not None or untimed(self._container)
            else pts + max(frame.duration or 0, 1)
        )
        parts = planes.planes_of(flat)
        self._read += 1
        return Shot(
            self._read - 1, pts, self._base, parts, _rgb(parts, flat, layout) if self._rgb else None
        )

    def _break(self, why: str) -> None:
        self.why = self.why or why

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Frames in the order they are shown. A packet that cannot be decoded is passed over, as players do, and remembered."""
        number = 0
        # With a stream of its own chosen, a demuxer would pass over the others.
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                self._check_end(number)
                return
            except av.error.FFmpegError as error:
                self._break(
                    f"{self._name} breaks off behind frame {number - 1}: {words(error)}. The frames before it are restored."
                )
                with suppress(av.error.FFmpegError):
                    yield from self._video.decode(None)
                return
            self._see(packet)
            if packet.stream.index != self._video.index:
                if packet.dts is not None and packet.stream.type in ("audio", "subtitle"):
                    self._early.append(packet)
                continue
            try:
                for frame in self._video.decode(packet):
                    yield frame
                    number += 1
            except av.error.FFmpegError as error:
                self._break(
                    f"{self._name}: what follows frame {number - 1} cannot be decoded ({words(error)}), and is left out."
                )

    def _see(self, packet: Packet) -> None:
        if packet.pts is not None and packet.time_base is not None:
            self._end = max(self._end, (packet.pts + (packet.duration or 0)) * packet.time_base)

    def _check_end(self, number: int) -> None:
        """A file that was cut off just ends: only its head tells that there should be more."""
        length = self._container.duration
        if not length or not any(name in self._container.format.name for name in TELL_LENGTH):
            return
        told = Fraction(length, av.time_base) + Fraction(
            self._container.start_time or 0, av.time_base
        )
        frame = 1 / float(self._video.average_rate or 25)
        if self._end and told - self._end > max(SHORT, 2 * frame):
            self._break(
                f"{self._name} breaks off behind frame {number - 1}, at {float(self._end):.2f} s of {float(told):.2f} s: the "
                "file was cut off. The frames before that are restored."
            )


def _again(first: av.VideoFrame, others: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    yield first
    yield from others


def _rgb(parts: list[planes.Plane], flat: av.VideoFrame, layout: Layout) -> planes.Plane:
    """As the datasets had it; gray by the same way, with chroma that has no colour, so that its range counts."""
    if layout.format == "gray":
        flat = planes.as_frame(parts, layout, "yuv444p", layout.width, layout.height)
    return to_picture(flat)


class _Painter:
    """Takes the planes of some frames through the network."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._device = tiles.device_of(model.restorer)
        model.restorer.to(memory_format=torch.channels_last)  # A fifth faster on a processor.
        self._tilings: dict[tuple[int, ...], tiles.Tiling] = {}
        self.wants_rgb = model.channels == 3
        self.layout: Layout | None = None

    def at_once(self, width: int, height: int) -> int:
        """Frames of a batch."""
        pixels = width * height
        within = self._model.limit / (
            tiles.bytes_a_pixel(self._model.restorer, self._model.channels) * pixels
        )
        return max(1, min(MOST, BATCH_PIXELS[self._device.type] // pixels, int(within)))

    @torch.inference_mode()
    def restore(self, shots: list[Shot]) -> list[Shot]:
        """Shots with new planes. Raises JobError for frames that are too large for the memory."""
        if not shots:
            return shots
        assert self.layout is not None
        parts = [
            planes.stack([shot.planes[part] for shot in shots], self._device)
            for part in range(len(shots[0].planes))
        ]
        if self.wants_rgb:
            rgb = planes.stack([shot.rgb for shot in shots if shot.rgb is not None], self._device)
            restored = self._run(rgb)
            if self._model.restorer.channels == "y":
                changed = planes.change_of_luma((restored - rgb / 255)[:, :1], parts, self.layout)
            else:
                changed = planes.change_of_rgb(restored.clamp(0, 1) - rgb / 255, parts, self.layout)
        else:
            gray = planes.gray_of(parts[0], self.layout)
            changed = planes.change_of_luma(self._run(gray).clamp(0, 1) - gray, parts, self.layout)
        values = [part[:, 0].cpu().numpy() for part in changed]
        return [
            Shot(shot.number, shot.pts, shot.time_base, [part[number] for part in values], None)
            for number, shot in enumerate(shots)
        ]

    def _run(self, image: Tensor) -> Tensor:
        shape = tuple(image.shape)
        try:
            if shape not in self._tilings:
                self._tilings[shape] = tiles.plan(self._model.restorer, shape, self._model.limit)
            return tiles.run(self._model.restorer, image, self._tilings[shape])
        except tiles.TooLarge as error:
            raise JobError(str(error)) from error
