"""Restoration of a video into a file.

Keeps the times of the frames, aspect ratio, rotation, colour tags and sound. The output and its
copies for browsers are written under temporary names and renamed at the end.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from jobs.core.errors import JobError
from jobs.core.report import Report
from jobs.media.video import open_video
from jobs.restoring.network import Model
from jobs.restoring.output_file import check_video, depths_of
from jobs.restoring.pipeline import Pipeline
from jobs.restoring.video_in import error_text
from jobs.specs.test import BitDepth, Codec


@dataclass(frozen=True)
class Restored:
    """The result for a video or for images.

    `why` is the reason if the output is incomplete. `out` then has the finished part.
    """

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
class Copies:
    """Two videos with the same times that any browser plays: the input and the output.

    The output is copied only if the requested file does not play in browsers. The copies are
    written together with the output, so they exist even if the output is incomplete.
    """

    input: Path
    output: Path

    @property
    def drafts(self) -> dict[Path, Path]:
        """The final name of each copy, by its name while it is written."""
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
    bit_depth: BitDepth = "input",
) -> Restored:
    """Restore a video into a file. The file extension of `out` selects the container.

    `bit_depth`: with "input", the bits per value are the input's, or the most that the codec has.

    Reports progress, and the properties of the video that are lost, to `report`. A grayscale
    network restores the brightness; colours do not change. `frames` is the number of frames if it
    is known.

    If the video breaks in the middle, the output has the frames before that, and `why` the reason.
    If the disk is full, or somebody stops the work (`report.check`), the finished part is kept as
    NAME.partial.EXTENSION. Raises JobError if there is nothing to keep.
    """
    check_video(source, out, codec, overwrite)
    draft = out.with_name(f".{out.name}.part")
    copy_drafts = copies.drafts if copies else {}
    began = time.monotonic()
    with open_video(source) as container:
        pipeline = Pipeline(container, source.name, model, report, frames)
        try:
            depths = depths_of(codec, bit_depth)
            complete = pipeline.run(draft, out, codec, depths, copy_drafts)
            if not pipeline.written:
                raise JobError(
                    pipeline.why
                    or f"No frame of {source.name} could be decoded. "
                    "Give a stream that contains pictures."
                )
            target = out if complete else out.with_name(f"{out.stem}.partial{out.suffix}")
            os.replace(draft, target)
            for copy_draft in filter(Path.exists, copy_drafts):
                os.replace(copy_draft, copy_drafts[copy_draft])
        except (OSError, av.error.FFmpegError) as error:
            raise JobError(
                f"{out} cannot be written: {error_text(error)}. Nothing was kept."
            ) from error
        finally:
            for leftover in (draft, *copy_drafts):
                with suppress(OSError):  # On a read-only file system even this is refused.
                    leftover.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        return Restored(pipeline.written, seconds, *pipeline.size, codec, target, pipeline.why)
