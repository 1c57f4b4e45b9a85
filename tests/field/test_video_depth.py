"""Videos with more than 8 bits per value: the network sees all of them, and the output has them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from jobs.core.report import Report
from jobs.media.video import decode_frames, open_video
from jobs.restoring.network import Model
from jobs.restoring.planes import planes_of
from jobs.restoring.video import Copies, restore_video
from models.restorer import Channels, Restorer
from tests.field.test_video_losses import PICTURES, make, messages, probe
from tests.jobs.restoring.test_video import MessageLog, decoded, equal_planes, identity, run
from tests.support.field_datasets import end_of, messages_of, probe_source, run_dataset

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

RAMP = "nullsrc=s=96x64:r=25:d=0.2,format=yuv444p10le,geq=lum='64+mod(X*9+Y+N,876)'"
"""All 10-bit values of Y in limited range."""


class OneStep(nn.Module):
    """Adds one step of 10-bit Y, and keeps the values that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.values: set[float] = set()

    def forward(self, image: Tensor) -> Tensor:
        self.values |= set(image[:, 0].flatten().tolist())
        return image + 1 / 876


def deep(path: Path, format: str, *options: str) -> Path:
    """A video of 5 frames with values of 10 bits in a pixel format, lossless by default."""
    codec = options or ("-c:v", "ffv1")
    chain = f"{RAMP}:cb=400:cr=600,format={format}"
    return make(path, "-f", "lavfi", "-i", chain, *codec, "-pix_fmt", format)


@pytest.mark.parametrize("channels", ["rgb", "ycbcr", "y", "gray"])
@pytest.mark.parametrize("format", ["yuv420p10le", "yuv422p12le", "yuv444p16le", "gray10le"])
def test_an_identity_keeps_every_bit_in_ffv1(format: str, channels: str, tmp_path: Path) -> None:
    source = deep(tmp_path / "in.mkv", format)
    model = identity("rgb", 1) if channels == "gray" else _identity(channels)
    run(source, tmp_path / "out.mkv", model, "ffv1")
    assert probe(tmp_path / "out.mkv")["pix_fmt"] == format
    before, after = decoded(source), decoded(tmp_path / "out.mkv")
    assert before[0][0].dtype == np.uint16
    assert len(np.unique(before[0][0])) > 700
    assert all(equal_planes(a, b) for a, b in zip(before, after, strict=True))


def _identity(channels: str) -> Model:
    seen: dict[str, Channels] = {"rgb": "rgb", "ycbcr": "ycbcr", "y": "y"}
    return identity(seen[channels])


@pytest.mark.parametrize(("channels", "of_image"), [("y", 3), ("rgb", 3), ("rgb", 1)])
def test_the_network_gets_values_between_those_of_8_bits(
    channels: Channels, of_image: int, tmp_path: Path
) -> None:
    net = OneStep()
    model = Model(Restorer(net, channels).eval(), of_image, 2**30)
    source = deep(tmp_path / "in.mkv", "yuv444p10le")
    run(source, tmp_path / "out.mkv", model, "ffv1")
    assert len(net.values) > 700
    for old, new in zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True):
        inside = (old[0] > 300) & (old[0] < 700)  # Not clipped in R, G or B.
        assert set(np.unique(new[0][inside].astype(int) - old[0][inside])) == {1}
        assert all(map(np.array_equal, (a[inside] for a in old[1:]), (b[inside] for b in new[1:])))


@pytest.mark.parametrize("full", [False, True])
def test_black_and_white_are_0_and_1_for_the_network(full: bool, tmp_path: Path) -> None:
    low, high = (0, 1023) if full else (64, 940)
    luma = f"geq=lum='if(lt(X,48),{low},{high})':cb=512:cr=512"
    range = ("-c:v", "ffv1", "-color_range", "pc" if full else "tv")
    chain = f"nullsrc=s=96x64:r=25:d=0.2,format=yuv444p10le,{luma}"
    source = make(tmp_path / "in.mkv", "-f", "lavfi", "-i", chain, *range)
    net = OneStep()
    run(source, tmp_path / "out.mkv", Model(Restorer(net, "rgb").eval(), 3, 2**30), "ffv1")
    assert (min(net.values), max(net.values)) == pytest.approx((0, 1), abs=0.2 / 1023)


@pytest.mark.parametrize(
    ("codec", "name", "format", "expected"),
    [
        ("h264", "out.mp4", "yuv420p10le", ("High 10", "yuv420p10le")),
        ("h264", "out.ts", "yuv422p10le", ("High 4:2:2", "yuv422p10le")),
        ("h264", "out.264", "gray10le", ("High 10", "yuv420p10le")),
        ("hevc", "out.mp4", "yuv420p10le", ("Main 10", "yuv420p10le")),
        ("hevc", "out.mov", "yuv420p", ("Main", "yuv420p")),
        ("hevc", "out.mkv", "yuv420p12le", ("Rext", "yuv420p12le")),
        ("hevc", "out.ts", "yuv444p10le", ("Rext", "yuv444p10le")),
    ],
)
def test_bits_are_kept_above_45_db(
    codec: str, name: str, format: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    source = deep(tmp_path / "in.mkv", format)
    text = messages(source, tmp_path / name, codec)
    assert ("High 10" in text) == (codec == "h264")
    assert "reduced" not in text
    facts = probe(tmp_path / name)
    assert (facts["profile"], facts["pix_fmt"]) == expected
    if name in ("out.mp4", "out.mov"):
        assert facts["codec_tag_string"] == {"h264": "avc1", "hevc": "hvc1"}[codec]
    top = 4095 if "12" in format else 1023 if "10" in format else 255
    for old, new in zip(decoded(source), decoded(tmp_path / name), strict=True):
        error = float(np.mean((old[0].astype(float) - new[0]) ** 2))
        assert 10 * np.log10(top**2 / max(error, 1e-9)) > 45


@pytest.mark.parametrize("container", ["in.mp4", "in.mov", "in.mkv", "in.ts", "in.hevc"])
def test_10_bits_of_hevc_are_kept_from_any_container(container: str, tmp_path: Path) -> None:
    options = ("-c:v", "libx265", "-x265-params", "log-level=error")
    source = deep(tmp_path / container, "yuv420p10le", *options)
    run(source, tmp_path / "out.mkv", identity("rgb"), "ffv1")
    before, after = decoded(source), decoded(tmp_path / "out.mkv")
    assert before[0][0].dtype == np.uint16
    assert all(equal_planes(a, b) for a, b in zip(before, after, strict=True))


def test_fewer_bits_are_reported(tmp_path: Path) -> None:
    source = deep(tmp_path / "in.mkv", "yuv420p12le")
    text = messages(source, tmp_path / "out.mp4")
    assert "the video's 12 bits per value are reduced to 10" in text
    log = MessageLog()
    run(source, tmp_path / "8.mp4", identity(), "h264", log, bit_depth="8")
    assert (
        "with 8 bits per value: the video's 12 bits per value are reduced to 8" in log.messages[0]
    )
    assert probe(tmp_path / "8.mp4")["pix_fmt"] == "yuv420p"
    assert "8.mp4" not in text


def test_the_copies_for_browsers_have_8_bits(tmp_path: Path) -> None:
    source = deep(tmp_path / "in.mkv", "gray10le")
    copies = Copies(tmp_path / "input.mp4", tmp_path / "output.mp4")
    report = Report(MessageLog())
    restore_video(source, tmp_path / "out.mp4", identity(), report, copies=copies)
    for path in (copies.input, copies.output):
        assert probe(path)["pix_fmt"] in ("yuv420p", "yuvj420p")
        luma = planes_of(next(decode_frames(path)))[0].astype(float)
        before = planes_of(next(decode_frames(source)))[0]
        assert np.mean((luma - before / 4) ** 2) < 4
    with open_video(tmp_path / "out.mp4") as out:
        assert out.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


def test_interlaced_hevc_is_reported_as_progressive(tmp_path: Path) -> None:
    options = ("-c:v", "libx264", "-flags", "+ilme+ildct", "-x264opts", "tff=1")
    source = deep(tmp_path / "in.mkv", "yuv420p10le", *options)
    assert "HEVC is written without fields" in messages(source, tmp_path / "out.mp4", "hevc")


@pytest.mark.parametrize(
    ("format", "codec", "note"),
    [
        ("yuv420p", "libx264", ""),
        ("yuv420p10le", "libx264", "10 bits per value, rounded to 8 for the dataset."),
        ("yuv420p10le", "libx265", "10 bits per value, rounded to 8 for the dataset."),
        ("gray12le", "ffv1", "12 bits per value, rounded to 8 for the dataset."),
    ],
)
@pytest.mark.parametrize("kind", ["stream", "compress"])
def test_datasets_say_that_they_round_deep_videos(
    kind: str, format: str, codec: str, note: str, tmp_path: Path
) -> None:
    log = ("-x265-params", "log-level=error") if codec == "libx265" else ()
    video = make(tmp_path / "deep.mkv", *PICTURES, "-pix_fmt", format, "-c:v", codec, *log)
    source = {"kind": kind, "originals": str(video)}
    source |= {"stream": str(video)} if kind == "stream" else {}
    expected = [f"deep.mkv has {note}"] if note else []
    answer = probe_source(source)
    assert answer["warnings"] == expected
    assert answer["problems"] == []
    folder = run_dataset(tmp_path, source)
    assert end_of(folder)["state"] == "done"
    assert [text for text in messages_of(folder) if "bits" in text] == expected
