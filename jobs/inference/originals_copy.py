"""A copy of a video's originals that any browser plays, with the times of the restored frames."""

from fractions import Fraction
from pathlib import Path

import av

from jobs.core.report import Report
from jobs.media.images import to_rgb
from jobs.media.originals import Images, Video
from jobs.restoring.encoding import BROWSER_FORMAT, BROWSER_OPTIONS

TICKS = 90_000
"""Per second: the unit of the times in the file."""


def copy_originals(
    originals: Images | Video, times: list[float], path: Path, report: Report
) -> None:
    """Write the originals of frames that are shown at `times` (seconds) as H.264 in MP4.

    4:2:0 has even sizes: an odd last row or column is left out. The copy ends before an original of
    another size, and with the times.
    """
    draft = path.with_name(f".{path.name}.part")
    size: tuple[int, ...] = ()
    report.begin(0)
    with av.open(str(draft), "w", format="mp4") as container:
        # Without B frames, the first frame is at its time in every browser.
        stream = container.add_stream("libx264", options={**BROWSER_OPTIONS, "bf": "0"})
        stream.pix_fmt, stream.codec_context.time_base = BROWSER_FORMAT, Fraction(1, TICKS)
        for number, (load, time) in enumerate(zip(originals.load(), times, strict=False)):
            report.check()
            picture = to_rgb(load())
            height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
            if not size:
                size, stream.width, stream.height = picture.shape, width, height
            if picture.shape != size:
                break
            frame = av.VideoFrame.from_ndarray(picture[:height, :width].copy(), format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
            report.progress(number + 1, len(times), "originals copied")
        container.mux(stream.encode())
    draft.rename(path)
