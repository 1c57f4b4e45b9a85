"""Restoration of a y4m stream from the standard input to the standard output."""

import io
import time
from pathlib import Path
from typing import BinaryIO

import av

from jobs.core.errors import JobError
from jobs.core.report import Report
from jobs.restoring.network import FrameRestorer, Model, no_qp
from jobs.restoring.planes import layout_of, planar
from jobs.restoring.video import Restored
from jobs.restoring.video_in import VideoIn

MAGIC = b"YUV4MPEG2 "
MAX_HEADER = 1024
DEPTHS = (8, 10, 12, 16)
NAME = "The standard input"
UNIT = "frames"


class Joined(io.RawIOBase):
    """A header that was already read, and the rest of its stream."""

    def __init__(self, header: bytes, rest: BinaryIO) -> None:
        self._header, self._rest = header, rest

    def read(self, size: int = -1) -> bytes:
        if self._header:
            part, self._header = self._header[:size], self._header[size:]
            return part
        return self._rest.read(size)

    def readable(self) -> bool:
        return True


def restore_pipe(source: BinaryIO, out: BinaryIO, model: Model, report: Report) -> Restored:
    """Restore y4m to y4m. The output has the header of the input: size, rate, chroma and range.

    Raises JobError, BrokenPipeError.
    """
    header = source.readline(MAX_HEADER)
    if not header.startswith(MAGIC):
        raise JobError(
            f"{NAME} is not y4m. Write it with `ffmpeg -i IN -f yuv4mpegpipe -strict -1 -`."
        )
    began, written = time.monotonic(), 0
    restorer = FrameRestorer(model)
    try:
        container = av.open(Joined(header, source), "r", format="yuv4mpegpipe")
    except (av.error.FFmpegError, ValueError) as error:
        raise JobError(f"{NAME} cannot be read as y4m: {error}.") from error
    with container:
        video = VideoIn(container, NAME, report, restorer.needs_rgb, restorer.needs_qps, DEPTHS)
        first = video.first()
        if first is None:
            raise JobError(video.why or f"{NAME} has no frame.")
        if planar(first, DEPTHS) is not first:
            raise JobError(
                f"{NAME} has the pixel format {first.format.name}, which cannot be kept. "
                "Convert it with `ffmpeg … -pix_fmt yuv420p`."
            )
        if restorer.needs_qps and model.qp is None:
            report.message(no_qp(NAME), "warning")
        restorer.begin(layout_of(first))
        out.write(header)
        report.begin(0)
        for batch in video.batches(restorer.batch_size):
            report.check()
            for shot in restorer.restore(batch.shots):
                out.write(b"FRAME\n")
                for plane in shot.planes:
                    out.write(plane.tobytes())
                written += 1
            report.progress(written, None, UNIT)
        out.flush()
    size = (first.width, first.height)
    return Restored(written, time.monotonic() - began, *size, "y4m", Path("-"), video.why)
