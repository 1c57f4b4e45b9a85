"""Compression of originals with libx264 (through PyAV): one H.264 stream per rate."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace

from jobs.core.errors import JobError
from jobs.core.report import Report
from jobs.media.images import Picture, size, to_rgb
from jobs.media.originals import Images, Video
from jobs.media.video import reformat
from jobs.specs.sources import CompressSource

HD = 720
"""Pictures of at least this height use the matrix of ITU-R BT.709, others that of BT.601 (SMPTE
170M). The streams signal the matrix."""

THREADS = "4"

Options = dict[str, str]


def compress(
    source: CompressSource, originals: Images | Video, count: int, streams: Path, report: Report
) -> list[Path]:
    """Compress the first `count` originals at each rate, in the folder `streams`; return the paths.

    Complete streams from an earlier run are reused.
    """
    streams.mkdir(parents=True, exist_ok=True)
    rates = rates_of(source)
    report.begin(0)
    for number, (name, options) in enumerate(rates):
        path, draft = streams / f"{name}.h264", streams / f".{name}.part"
        if not path.exists():
            pictures = _with_progress(originals, count, (number, len(rates)), report)
            encode(
                pictures,
                draft,
                {**options, **options_of(source)},
                Fraction(source.frame_rate).limit_denominator(1001),
                source.gop,
            )
            draft.rename(path)
    return [streams / f"{name}.h264" for name, _ in rates]


def rates_of(codec: CompressSource) -> list[tuple[str, Options]]:
    """The name and the libx264 options of each distinct rate."""
    rates = [(f"qp{qp:02d}", {"qp": str(qp)}) for qp in codec.qp]
    rates += [(f"crf{crf:g}", {"crf": f"{crf:g}"}) for crf in codec.crf]
    rates += [(f"{rate}kbps", {"b": f"{rate}k"}) for rate in codec.bitrate]
    return list(dict(rates).items())


def options_of(codec: CompressSource) -> Options:
    """The libx264 options that are common to all rates."""
    options: Options = {"preset": codec.preset}
    if codec.b_frames is not None:
        options["bf"] = str(codec.b_frames)
    if codec.tune != "none":
        options["tune"] = codec.tune
    if codec.profile != "auto":
        options["profile"] = codec.profile
    return options


def _with_progress(
    originals: Images | Video, count: int, rate: tuple[int, int], report: Report
) -> Iterator[Picture]:
    """The first `count` originals; reports the progress. `rate`: its number, and the total."""
    number, rates = rate
    total = count * rates
    loads = islice(originals.load(lambda text: report.message(text, "warning")), count)
    for done, load in enumerate(loads, number * count + 1):
        report.check()
        yield to_rgb(load())
        report.progress(done, total, "frames compressed")


def encode(
    pictures: Iterator[Picture],
    path: Path,
    options: Options,
    rate: Fraction = Fraction(25),
    gop: int | None = None,
) -> None:
    """Write pictures (H, W, 3) as a raw H.264 stream in 4:2:0; `rate` is in frames per second.

    4:2:0 has even sizes: an odd last row or column is left out. Raises JobError if the pictures
    differ in size.
    """
    first = next(pictures, None)
    if first is None:
        raise JobError("No originals to compress. Give a folder or a video with pictures.")
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    if min(height, width) < 2:
        raise JobError(f"The originals are {size(first)}: too small for H.264. Give larger ones.")
    with av.open(str(path.absolute()), "w", format="h264") as container:
        # The number of threads changes the output of x264, which must be the same on all machines.
        stream = container.add_stream("libx264", rate=rate, options={**options, "threads": THREADS})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if gop is not None:
            stream.gop_size = gop
        context = stream.codec_context
        matrix = Colorspace.ITU709 if height >= HD else Colorspace.SMPTE170M
        context.colorspace = context.color_primaries = context.color_trc = 1 if height >= HD else 6
        context.color_range = ColorRange.MPEG
        for number, picture in enumerate(_prepended(first, pictures)):
            if picture.shape != first.shape:
                raise JobError(
                    f"Original {number} is {size(picture)}, but the first is {size(first)}. "
                    "Give originals of one size: a stream has one size."
                )
            frame = av.VideoFrame.from_ndarray(picture[:height, :width].copy(), format="rgb24")
            coded = reformat(
                frame, "yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
            )
            coded.pts, coded.time_base = number, 1 / rate
            container.mux(stream.encode(coded))
        container.mux(stream.encode())


def _prepended(first: Picture, others: Iterator[Picture]) -> Iterator[Picture]:
    yield first
    yield from others
