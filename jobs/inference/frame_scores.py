"""PSNR and SSIM of the frames of a video, before and after restoration, against the originals."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.core.errors import JobError, counted
from jobs.core.report import Report, finite
from jobs.core.totals import Fluctuation
from jobs.core.types.facts import FrameTotals, WorstFrame
from jobs.media import video, vmaf
from jobs.media.images import Picture, size, to_gray, to_rgb
from jobs.media.originals import Images, Video, originals_of
from jobs.media.video import Facts, GoOn
from jobs.networks.pictures import as_tensor
from jobs.restoring.video import Restored
from models.metrics import psnr, ssim

UNIT = "frames measured"

Originals = Images | Video


def find_originals(path: Path, source: Path, facts: Facts, go_on: GoOn) -> Originals:
    """The originals of a video, in the order of its frames.

    Those of a video are counted as long as `go_on` returns True.

    Raises JobError if there are none, or if the first has another size than the video.
    """
    originals = originals_of(path, go_on=go_on)
    if isinstance(originals, Video):
        originals = replace(originals, fallback_colour=facts.colour)
    load = next(originals.load(), None)
    if load is None:
        raise JobError(
            f"No frame of {originals.place} could be decoded. "
            "Give a folder of images, or another video."
        )
    first = load()
    if not _fits(first, facts.height, facts.width):
        raise JobError(
            f"{originals.name(0)} is {size(first)}, but {source.name} is "
            f"{facts.width}×{facts.height}. Give the originals of this video, or none."
        )
    return originals


def _fits(original: Picture, height: int, width: int) -> bool:
    """Whether an original has the size of the video.

    It may have an odd last row or column, which H.264 in 4:2:0 does not keep.
    """
    return all(
        side in (kept, kept + side % 2)
        for side, kept in zip(original.shape[:2], (height, width), strict=True)
    )


def note(source: Path, frames: int, originals: Originals) -> str:
    """A note if the numbers of frames and originals differ, else an empty string."""
    compared = min(originals.count, frames)
    if originals.count == frames:
        return ""
    first = f"the first {compared:,} are" if compared > 1 else "only the first is"
    counts = (
        f"{source.name} has {counted(frames, 'frame')}, "
        f"but {originals.place} has {counted(originals.count, 'original')}"
    )
    return f"{counts}: {first} compared, in order."


@dataclass
class _Means:
    """Sums of the finite scores: the PSNR of a frame that equals its original is infinite."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    worst: WorstFrame | None = None
    fluctuation: Fluctuation = field(default_factory=Fluctuation)

    def add(self, number: int, scores: dict[str, float]) -> None:
        self.frames += 1
        for key, value in scores.items():
            if finite(value) is not None:
                self.sums[key] = self.sums.get(key, 0.0) + value
                self.counts[key] = self.counts.get(key, 0) + 1
        before, after = scores["input/psnr"], scores["output/psnr"]
        self.fluctuation.add("", before, after)
        gain = finite(after - before)
        if gain is not None and (self.worst is None or gain < self.worst["gain"]):
            self.worst = {"frame": number, "gain": gain}

    def facts(self) -> FrameTotals:
        """The fields of a `facts` event; the names are those of tests of images."""
        totals: FrameTotals = {
            "psnr_input": self._mean("input/psnr"),
            "psnr_output": self._mean("output/psnr"),
            "ssim_input": self._mean("input/ssim"),
            "ssim_output": self._mean("output/ssim"),
            "measured": self.frames,
            "worst": self.worst,
        }
        if fluctuation := self.fluctuation.mean():
            totals["fluctuation"] = fluctuation
        return totals

    def _mean(self, key: str) -> float | None:
        return self.sums[key] / self.counts[key] if key in self.sums else None


def measure(
    source: Path, restored: Restored, originals: Originals, channels: int, report: Report
) -> None:
    """Log the scores of each frame as `scalars` and their means as `facts`.

    The means are logged even if the work ends early; VMAF only of all frames, and only if this
    machine has an ffmpeg with libvmaf. Raises JobError for an original of another size.
    """
    means = _Means()
    total = min(restored.frames, originals.count)
    report.begin(0)
    with vmaf.meter(restored.height, restored.width) as meter:
        try:
            for number, pictures in enumerate(_triples(source, restored.out, originals, channels)):
                report.check()
                scores = _scores(*pictures)
                meter.add(*pictures)
                means.add(number, scores)
                report.scalars(number, 0.0, scores)
                report.progress(number + 1, total, UNIT)
        finally:
            if means.frames:
                report.log.append("facts", **means.facts())
        if scored := meter.scores():
            report.log.append("facts", vmaf=scored)


def _scores(input: Picture, output: Picture, original: Picture) -> dict[str, float]:
    truth = as_tensor(original)
    return {
        f"{side}/{metric.__name__}": metric(as_tensor(picture), truth)
        for side, picture in (("input", input), ("output", output))
        for metric in (psnr, ssim)
    }


def _triples(
    source: Path, output: Path, originals: Originals, channels: int
) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Input, output and original of each frame, in the network's channels.

    They are cut to the size of the output, which may lack an odd last row or column.
    """
    loads = zip(video.frames(source), video.frames(output), originals.load(), strict=False)
    for number, (load_input, load_output, load_original) in enumerate(loads):
        input, restored, original = (
            _in_channels(load(), channels) for load in (load_input, load_output, load_original)
        )
        if not _fits(original, *input.shape[:2]):
            raise JobError(
                f"{originals.name(number)} is {size(original)}, but the video is {size(input)}. "
                "The frames before it are measured, and the restored video is complete."
            )
        height, width = restored.shape[:2]
        yield input[:height, :width], restored, original[:height, :width]


def _in_channels(picture: Picture, channels: int) -> Picture:
    return to_gray(picture, "BT.601") if channels == 1 else to_rgb(picture)
