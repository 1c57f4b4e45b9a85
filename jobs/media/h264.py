"""Streams out of originals: libx264 through PyAV, one stream for each rate."""

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
from jobs.specs.dataset import CompressSource

HD = 720
"""From this height on, pictures are coded in BT.709 (ITU-R BT.709), below in BT.601 (SMPTE 170M); the streams signal it."""

THREADS = "4"

Options = dict[str, str]


def compress(
    source: CompressSource, originals: Images | Video, count: int, streams: Path, report: Report
) -> list[Path]:
    """The streams of all rates, of the first `count` originals, in the folder `streams`; whole ones are not made again."""
    streams.mkdir(parents=True, exist_ok=True)
    rates = rates_of(source)
    report.begin(0)
    for number, (name, options) in enumerate(rates):
        path, draft = streams / f"{name}.h264", streams / f".{name}.part"
        if not path.exists():
            pictures = _told(originals, count, (number, len(rates)), report)
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
    """Name and libx264's options of each rate, each once."""
    rates = [(f"qp{qp:02d}", {"qp": str(qp)}) for qp in codec.qp]
    rates += [(f"crf{crf:g}", {"crf": f"{crf:g}"}) for crf in codec.crf]
    rates += [(f"{rate}kbps", {"b": f"{rate}k"}) for rate in codec.bitrate]
    return list(dict(rates).items())


def options_of(codec: CompressSource) -> Options:
    options: Options = {"preset": codec.preset}
    if codec.b_frames is not None:
        options["bf"] = str(codec.b_frames)
    if codec.tune != "none":
        options["tune"] = codec.tune
    if codec.profile != "auto":
        options["profile"] = codec.profile
    return options


def _told(
    originals: Images | Video, count: int, rate: tuple[int, int], report: Report
) -> Iterator[Picture]:
    """The first originals, with the progress of reading them told; `rate` is which of how many."""
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
    """Write pictures (H, W, 3) as a raw H.264 stream in 4:2:0. An odd last row or column is left out: 4:2:0 has even sizes.

    Raises JobError where the pictures are not of one size."""
    first = next(pictures, None)
    if first is None:
        raise JobError("There is no original to compress.")
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    if min(height, width) < 2:
        raise JobError(f"The originals are {size(first)}: too small for H.264.")
    with av.open(str(path), "w", format="h264") as container:
        # A fixed number of threads: what x264 writes depends on it, and must not depend on the machine.
        stream = container.add_stream("libx264", rate=rate, options={**options, "threads": THREADS})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if gop is not None:
            stream.gop_size = gop
        context = stream.codec_context
        matrix = Colorspace.ITU709 if height >= HD else Colorspace.SMPTE170M
        context.colorspace = context.color_primaries = context.color_trc = 1 if height >= HD else 6
        context.color_range = ColorRange.MPEG
        for number, picture in enumerate(_with(first, pictures)):
            if picture.shape != first.shape:
                raise JobError(
                    f"Original {number} is {size(picture)}, but the first one is {size(first)}. A stream has one size."
                )
            frame = av.VideoFrame.from_ndarray(picture[:height, :width].copy(), format="rgb24")
            coded = reformat(
                frame, "yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
            )
            coded.pts, coded.time_base = number, 1 / rate
            container.mux(stream.encode(coded))
        container.mux(stream.encode())


def _with(first: Picture, others: Iterator[Picture]) -> Iterator[Picture]:
    yield first
    yield from others
