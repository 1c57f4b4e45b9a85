"""The pipeline that restores a video: a thread decodes, some run the network, one encodes.

Bounded queues connect them, so that the memory does not depend on the video's length.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, TypeVar

import torch
from av import VideoFrame
from av.container import InputContainer

from jobs.core.errors import Aborted, disk_full
from jobs.core.report import Report
from jobs.media.qp_maps import coding_of
from jobs.media.video import ignore_warning
from jobs.restoring.network import FrameRestorer, Model, no_qp
from jobs.restoring.output_file import DiskFull
from jobs.restoring.planes import Layout, layout_of, planar
from jobs.restoring.video_in import Batch, VideoIn
from jobs.restoring.video_out import VideoOut
from jobs.specs.test import Codec

UNIT = "frames"
QUEUED_BATCHES = 2
"""The most batches that wait between two threads."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ClosableQueue(Generic[Item]):
    """A queue of at most `size` items that the producer or the consumer can close.

    `queue.Queue` cannot be closed before Python 3.13.
    """

    def __init__(self, size: int) -> None:
        self._size, self._closed = size, False
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Wait for space and add an item. False if the queue is closed."""
        with self._changed:
            while len(self._items) >= self._size and not self._closed:
                self._changed.wait()
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def close(self) -> None:
        """Accept no further items. Consumers still get the items that are in the queue."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """The items as they arrive, until the queue is closed and empty."""
        while True:
            with self._changed:
                while not self._items and not self._closed:
                    self._changed.wait()
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """The results of `work` on each item, in order; several threads work at a time.

    With several, each runs the operations of torch by itself. They wait for one another only at
    the end, where the threads of an operation would wait at each layer for a core that the encoder
    keeps busy.
    """
    torch_threads = torch.get_num_threads()
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "network") as pool:
        try:
            if threads > 1:
                torch.set_num_threads(1)
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(torch_threads)


class Pipeline:
    """Restores one video.

    `written` counts the frames of the output. `why` is the reason if the output is incomplete.
    """

    def __init__(
        self, container: InputContainer, name: str, model: Model, report: Report, frames: int | None
    ) -> None:
        self._container, self._name, self._report = container, name, report
        self._frame_count = frames
        self._restorer = FrameRestorer(model)
        self._decoded: ClosableQueue[Batch] = ClosableQueue(QUEUED_BATCHES)
        self._restored: ClosableQueue[Batch] = ClosableQueue(QUEUED_BATCHES)
        self._input_copies: list[VideoOut] = []
        self._outputs: list[VideoOut] = []
        self.why = ""
        self.written = 0
        self.size = (0, 0)

    def run(
        self,
        draft: Path,
        out: Path,
        codec: Codec,
        depths: Sequence[int],
        copy_drafts: dict[Path, Path],
    ) -> bool:
        """Write the restored video to `draft`. True if all of the readable video was written.

        `depths` are the bits per value that it may have. `copy_drafts` maps the drafts of the
        copies for browsers to their final names. Raises JobError, and the errors of the threads.
        """
        self._report.begin(0)
        needs_rgb, needs_qps = self._restorer.needs_rgb, self._restorer.needs_qps
        video = VideoIn(self._container, self._name, self._report, needs_rgb, needs_qps, depths)
        first = video.first()
        if first is None:
            self.why = video.why
            return True
        if self._restorer.model.lacks_qp(coding_of(first)):
            self._report.message(no_qp(self._name), "warning")
        layout = layout_of(planar(first, depths))
        self._restorer.begin(layout)
        output = VideoOut(
            draft, out, codec, self._container, first, layout, self._warn, video.covers
        )
        self._outputs = [output]
        video.copied_streams = output.copied_streams
        self.size = (output.encoding.width, output.encoding.height)
        self._report_start(output)
        stopped = full = is_whole = False
        try:
            self._add_copies(copy_drafts, first, layout)
            stopped = self._run_threads(video)
            is_whole = True
        except DiskFull:
            full = True
        finally:
            with ExitStack() as closing:  # Close all of them, even if one raises.
                for video_out in (*self._outputs, *self._input_copies):
                    closing.callback(video_out.close, flush=is_whole)
        self.written, self.why = output.written.frames, video.why
        self._report.progress(self.written, self.written, UNIT)
        if full:
            self.why = disk_full("restore again", f"{self.written} frames are complete")
        elif stopped:
            self.why = f"Stopped after {self.written} frames."
        return self._check_output(output) and not (full or stopped)

    def _add_copies(self, drafts: dict[Path, Path], first: VideoFrame, layout: Layout) -> None:
        """Open the copies for browsers: of the input, and of an output that they cannot play."""
        places = [self._input_copies]
        if not self._outputs[0].plays_in_browsers:
            places.append(self._outputs)
        for place, (draft, out) in zip(places, drafts.items(), strict=False):
            copy = VideoOut(
                draft,
                out,
                "h264",
                self._container,
                first,
                layout,
                ignore_warning,
                {},
                for_browsers=True,
            )
            place.append(copy)

    def _run_threads(self, video: VideoIn) -> bool:
        """Decode, restore and encode. True if somebody stopped the work."""
        stopped = False
        with ThreadPoolExecutor(2, "restore") as threads:
            reading = threads.submit(self._read, video)
            writing = threads.submit(self._write)
            try:
                self._restore(self._frame_count or video.total)
            except Aborted:
                stopped = True
            finally:
                self._decoded.close()
                self._restored.close()
        reading.result()
        writing.result()
        return stopped

    def _report_start(self, output: VideoOut) -> None:
        if output.origin:
            self._report.message(
                f"The times of {self._name} begin at {float(output.origin):.3f} s: the output "
                "begins at 0."
            )
        if output.encoding.is_costly:
            self._report.message(
                f"{self._name} is hardly damaged: {output.encoding.encoder.codec} may lose more "
                "than the network gains. The codec ffv1 loses nothing."
            )
        if output.encoding.codec == "h264" and output.encoding.layout.bits > 8:
            self._report.message(
                "The output has 10 bits per value (H.264 High 10), which few phones, TVs and "
                "browsers play. For these, choose the codec hevc, or a bit depth of 8."
            )

    def _check_output(self, output: VideoOut) -> bool:
        """Read the written file back, and report what it lacks. True if it has all frames."""
        if not self.written:
            return True
        fault = output.fault()
        for loss in [] if fault else output.losses():
            self._warn(loss)
        self.why = " ".join(filter(None, (self.why, fault)))
        return not fault

    def _warn(self, text: str) -> None:
        self._report.message(text, "warning")

    def _read(self, video: VideoIn) -> None:
        try:
            for batch in video.batches(self._restorer.batch_size):
                if not self._decoded.put(batch):
                    return
        finally:
            self._decoded.close()

    def _restore(self, total: int | None) -> None:
        def restored(batch: Batch) -> Batch:
            inputs = batch.shots if self._input_copies else []
            return Batch(self._restorer.restore(batch.shots), batch.packets, inputs)

        for batch in in_order(restored, self._checked(), self._restorer.threads):
            if not self._restored.put(batch):
                return
            if self.written:
                self._report.progress(self.written, total, UNIT)

    def _checked(self) -> Iterator[Batch]:
        """The decoded batches. Raises Aborted if somebody stops the work."""
        for batch in self._decoded:
            self._report.check()
            yield batch

    def _write(self) -> None:
        try:
            for batch in self._restored:
                for packet in batch.packets:
                    index = packet.stream.index
                    for video_out in (*self._outputs, *self._input_copies):
                        if index in video_out.copied_streams:
                            video_out.copy(packet, index)
                for shot in batch.inputs:
                    for video_out in self._input_copies:
                        video_out.write(shot)
                for shot in batch.shots:
                    for video_out in self._outputs:
                        video_out.write(shot)
                    self.written += 1
        finally:
            self._restored.close()
