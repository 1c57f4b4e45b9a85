"""What the output of a restored video lacks of its input, reported where it first occurs."""

from collections.abc import Sequence

import av

from jobs.core.report import Report
from jobs.media.nal_units import Scanner
from jobs.restoring import hdr, planes
from jobs.restoring.times import Packet

MOST_RANGES = 20
"""The most ranges of damaged frames that a message lists."""
NOT_CARRIED = {
    "A53_CC": "closed captions",
    "AFD": "active format descriptions",
    "AMBIENT_VIEWING_ENVIRONMENT": "data of the viewing environment",
    "DOVI_METADATA": "Dolby Vision metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "FILM_GRAIN_PARAMS": "film grain parameters",
    "GOP_TIMECODE": "timecodes",
    "ICC_PROFILE": "ICC profiles",
    "S12M_TIMECODE": "timecodes",
    "SPHERICAL": "data of a spherical video",
    "STEREO3D": "data of a stereoscopic video",
}
"""Side data of frames that the output cannot contain, by FFmpeg's name."""


class Losses:
    """Reports what is lost of a video's frames to `report`.

    `name` is that of its file; `depths` are the bits per value that the output may have.
    """

    def __init__(
        self, name: str, video: av.VideoStream, report: Report, depths: Sequence[int]
    ) -> None:
        self._name, self._report, self._depths = name, report, depths
        self._scanner = Scanner(video)
        self._pictures = self._bad_units = self._bad_after = self._begun = 0
        self._damaged: list[int] = []
        self._lost: set[str] = set()
        self._interlaced = self._mixed = False

    def note_packet(self, packet: Packet) -> None:
        """Count the frames that a packet begins, and its damaged NAL units."""
        if self._scanner.syntax is None or not packet.size:
            return
        units = self._scanner.scan(bytes(packet))
        if packet.is_discard:
            return
        if units.damaged and not self._bad_units:
            # Demuxers add such units to the picture before, or to the next one.
            self._bad_after = self._pictures + units.picture_first
        self._bad_units += units.damaged
        self._begun = units.frames
        self._pictures += units.frames

    def note_undecodable(self) -> None:
        """Leave out a packet that is reported already."""
        self._pictures -= self._begun

    def begin(self, first: av.VideoFrame, alpha: bool) -> None:
        """Report what all frames lose. `alpha`: whether the video has another stream of it."""
        losses = planes.lost_by_planes(first, self._depths)
        if alpha:
            losses.append("the video's transparency is removed")
        if losses:
            self._report.message(
                "The output has planes of Y, Cb and Cr only, with "
                f"{planes.depth_of(first, self._depths)} bits per value: {', '.join(losses)}.",
                "warning",
            )
        self._interlaced = first.interlaced_frame
        if first.interlaced_frame:
            self._report.message(
                "The video is interlaced: both fields of a frame are restored as one picture.",
                "warning",
            )

    def note(self, frame: av.VideoFrame, number: int) -> None:
        """Report what is lost of a frame where it first occurs. Count the damaged frames."""
        if frame.is_corrupt:
            if not self._damaged:
                self._report.message(
                    f"Frame {number} of {self._name} is damaged: the decoder has filled in "
                    "what it could not read.",
                    "warning",
                )
            self._damaged.append(number)
        found = {NOT_CARRIED[kind] for kind in hdr.side_data(frame) if kind in NOT_CARRIED}
        for lost in found - self._lost:
            self._report.message(
                f"Lost from frame {number} on: {lost}. The output cannot contain them.",
                "warning",
            )
        self._lost |= found
        if frame.interlaced_frame != self._interlaced and not self._mixed:
            self._mixed = True
            self._report.message(
                f"Frame {number} is {'progressive' if self._interlaced else 'interlaced'}, "
                "unlike those before it. The output marks all frames like the first.",
                "warning",
            )

    def end(self, frames: int) -> None:
        """Report the damaged and the missing frames, when there are no further ones."""
        if self._bad_units:
            self._report.message(
                f"NAL units of {self._name} with a damaged header are skipped: {self._bad_units}, "
                f"the first after {self._bad_after} coded pictures. Frames may be missing.",
                "warning",
            )
        if (gaps := self._scanner.gaps) and not self._bad_units:
            self._report.message(
                f"The numbers of the coded pictures of {self._name} are not consecutive: "
                f"{gaps} {'gap' if gaps == 1 else 'gaps'}. Pictures are missing, and frames that "
                "refer to them may be damaged.",
                "warning",
            )
        if (missing := self._pictures - frames) > 0:
            self._report.message(
                f"Coded pictures of {self._name} that gave no frame: {missing}. Pictures that they "
                "refer to are missing or damaged. The output lacks these frames.",
                "warning",
            )
        if self._damaged:
            self._report.message(
                f"{len(self._damaged)} of {frames} frames of {self._name} are damaged: "
                f"{ranges(self._damaged)}.",
                "warning",
            )


def ranges(numbers: list[int]) -> str:
    """Rising numbers as text: 0, 5 to 7. Ends after `MOST_RANGES` ranges."""
    starts = [
        number
        for number, before in zip(numbers, [-2, *numbers], strict=False)
        if number != before + 1
    ]
    ends = [
        number
        for number, after in zip(numbers, [*numbers[1:], -2], strict=True)
        if after != number + 1
    ]
    ranges = [
        f"{start}" if start == end else f"{start} to {end}"
        for start, end in zip(starts, ends, strict=True)
    ]
    more = len(ranges) - MOST_RANGES
    return ", ".join(ranges[:MOST_RANGES]) + (f" and {more} more ranges" if more > 0 else "")
