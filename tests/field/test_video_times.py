"""Restored times: clocks that wrap, late starts, streams without presentation times or rates.

Each kind is made by the ffmpeg command in several containers and codecs.
"""

import shutil
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from jobs.restoring import read_back
from jobs.restoring.read_back import Written
from jobs.restoring.times import WRAP as CLOCK_WRAP
from jobs.restoring.times import Clock
from tests.jobs.restoring.test_video import MessageLog, identity, make_video, packets, run, times
from tests.support.field_datasets import field_file

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

RATE = Fraction(30_000, 1001)
FRAMES = 15
WRAP = 2**33 / 90_000
"""Seconds until the clock of a transport stream wraps."""
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")


def make(path: Path, *options: str, sound: str = "aac", video: tuple[str, ...] = X264) -> Path:
    """Let ffmpeg encode half a second of its test picture and, unless "", its tone."""
    pictures = ("-f", "lavfi", "-i", f"testsrc2=s=64x48:r={RATE}")
    tone = ("-f", "lavfi", "-i", "sine=duration=0.6", "-c:a", sound) if sound else ()
    encoding = ("-frames:v", str(FRAMES), "-pix_fmt", "yuv420p", *video, *options)
    command = ["ffmpeg", "-v", "error", "-y", *pictures, *tone, *encoding, str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path


def shown(path: Path) -> list[float]:
    """The times (s) of the frames that a player shows."""
    return [float(time) for time in times(path)]


def sound_offset(path: Path) -> float:
    """Seconds from the first packet of the sound to the first frame."""
    return shown(path)[0] - packets(path, "audio")[0][1]


def assert_even(shown: list[float], count: int = FRAMES) -> None:
    assert len(shown) == count
    assert shown[0] >= 0
    assert all(abs(b - a - 1 / RATE) < 0.0021 for a, b in pairwise(shown)), shown


@pytest.mark.parametrize("out", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("start", [WRAP - 3.7, WRAP - 0.2, WRAP + 5, 40_000, 1.4])
@pytest.mark.parametrize("source", [".ts", ".mpg"])
def test_times_of_any_start_are_played_from_0_or_later(
    source: str, start: float, out: str, tmp_path: Path
) -> None:
    codecs = (X264, "aac") if source == ".ts" else (("-c:v", "mpeg2video", "-bf", "2"), "mp2")
    stream = make(
        tmp_path / f"in{source}",
        *("-muxdelay", "0", "-output_ts_offset", str(start)),
        video=codecs[0],
        sound=codecs[1],
    )
    done = run(stream, tmp_path / f"out{out}", identity())
    assert (done.frames, done.why, done.out.name) == (FRAMES, "", f"out{out}")
    assert_even(shown(done.out))
    assert abs(sound_offset(done.out) - sound_offset(stream)) < 0.0021
    if out == ".mp4":
        assert shown(done.out)[0] < 0.1, "an .mp4 that shows nothing for hours"


@pytest.mark.parametrize(
    ("name", "count"), [("wrap.ts", 48), ("late.mkv", 48), ("bframes.avi", 48)]
)
@pytest.mark.parametrize("out", [".mp4", ".mkv"])
def test_field_files_keep_even_times(name: str, count: int, out: str, tmp_path: Path) -> None:
    done = run(field_file(name), tmp_path / f"out{out}", identity())
    assert (done.frames, done.why) == (count, "")
    assert_even(shown(done.out), count)


@pytest.mark.parametrize("start", [0.4, 5])
@pytest.mark.parametrize("source", [".mkv", ".webm", ".mp4", ".mov", ".flv"])
def test_late_start_is_not_a_truncated_file(source: str, start: float, tmp_path: Path) -> None:
    webm = ("-c:v", "libvpx-vp9", "-b:v", "200k")
    late = make(
        tmp_path / f"in{source}",
        *("-output_ts_offset", str(start)),
        video=webm if source == ".webm" else X264,
        sound="libopus" if source == ".webm" else "aac",
    )
    done = run(late, tmp_path / "out.mkv", identity())
    assert (done.frames, done.why) == (FRAMES, "")
    assert abs(shown(done.out)[0] - shown(late)[0]) < 0.0021
    done = run(late, tmp_path / "out.mp4", identity())
    assert (done.frames, done.why) == (FRAMES, "")
    assert abs(sound_offset(done.out) - sound_offset(late)) < 0.0021


@pytest.mark.parametrize("source", [".mp4", ".mov"])
def test_subtitles_that_begin_before_a_late_start_do_not_lengthen_the_video(
    source: str, tmp_path: Path
) -> None:
    (tmp_path / "text.srt").write_text("1\n00:00:01,000 --> 00:00:01,300\nA line\n")
    late = make(tmp_path / "late.mkv", "-output_ts_offset", "1.4")
    options = ["-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", "-copyts"]
    subtitled = tmp_path / f"in{source}"
    command: list[str | Path] = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        late,
        "-i",
        tmp_path / "text.srt",
        *options,
        subtitled,
    ]
    subprocess.run(command, check=True, timeout=120)
    done = run(subtitled, tmp_path / "out.mkv", identity())
    assert (done.frames, done.why) == (FRAMES, "")


def test_sound_without_packets_does_not_lengthen_a_late_matroska(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(source, "w") as container:
        video = container.add_stream("libx264", 25)
        container.add_stream("flac", 48_000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame(64, 48, "yuv420p")
        for number in range(FRAMES):
            frame.pts = 35 + number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    done = run(source, tmp_path / "out.mkv", identity())
    assert (done.frames, done.why) == (FRAMES, "")


def test_truncated_late_matroska_is_reported(tmp_path: Path) -> None:
    late = make(tmp_path / "in.mkv", "-output_ts_offset", "5", "-g", "5")
    late.write_bytes(late.read_bytes()[: late.stat().st_size // 2])
    assert "is truncated" in run(late, tmp_path / "out.mkv", identity()).why


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("b_frames", ["0", "1", "3"])
def test_avi_frames_have_even_times_from_0(codec: str, b_frames: str, tmp_path: Path) -> None:
    source = make(tmp_path / "in.avi", "-bf", b_frames, sound="pcm_s16le", video=("-c:v", codec))
    done = run(source, tmp_path / "out.mp4", identity())
    assert_even(shown(done.out))
    assert shown(done.out)[0] == 0


@pytest.mark.parametrize("rate", [RATE, Fraction(24_000, 1001), Fraction(25), Fraction(50)])
@pytest.mark.parametrize(("extension", "codec"), [(".264", "libx264"), (".hevc", "libx265")])
def test_rate_of_a_raw_stream_is_that_of_its_header(
    rate: Fraction, extension: str, codec: str, tmp_path: Path
) -> None:
    quiet = ("-x265-params", "log-level=error") if codec == "libx265" else ()
    video = ("-c:v", codec, "-preset", "ultrafast", *quiet)
    stream = make(tmp_path / f"in{extension}", "-r", str(rate), sound="", video=video)
    for name in ("out.mp4", "out.mkv"):
        log = MessageLog()
        run(stream, tmp_path / name, identity(), log=log)
        assert log.messages == []
        with av.open(str(tmp_path / name)) as container:
            output = container.streams.video[0]
            assert output.average_rate == rate
            durations = [
                float(packet.duration * packet.time_base)
                for packet in container.demux(output)
                if packet.size and packet.duration
            ]
        assert all(abs(duration - 1 / rate) < 0.0011 for duration in durations)
        assert len(shown(tmp_path / name)) == FRAMES


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(50), Fraction(15)])
@pytest.mark.parametrize(("extension", "codec"), [(".m2v", "mpeg2video"), (".m4v", "mpeg4")])
def test_rate_of_a_raw_mpeg_stream_is_that_of_its_header(
    extension: str, codec: str, rate: Fraction, tmp_path: Path
) -> None:
    raw = ("-c:v", codec, "-bf", "2", "-f", "m4v" if codec == "mpeg4" else "mpeg2video")
    strict = ("-strict", "-2")
    stream = make(tmp_path / f"in{extension}", "-r", str(rate), *strict, sound="", video=raw)
    for name in ("out.mp4", "out.mkv"):
        log = MessageLog()
        run(stream, tmp_path / name, identity(), log=log)
        assert not any("begin at" in text for text in log.messages)
        with av.open(str(tmp_path / name)) as container:
            video = container.streams.video[0]
            rates = {video.average_rate, video.guessed_rate}
            if name == "out.mp4":
                assert video.duration
                assert video.time_base
                assert abs(video.duration * video.time_base - FRAMES / rate) < 0.0021
        assert rate in rates
        assert_even_at(shown(tmp_path / name), rate)


def assert_even_at(times: list[float], rate: Fraction) -> None:
    assert len(times) == FRAMES
    assert abs(times[0]) < 0.0011
    assert all(abs(b - a - 1 / rate) < 0.0021 for a, b in pairwise(times)), times


def test_file_that_lacks_frames_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 10)
    whole = read_back.read(source, "mp4")
    assert str(whole) == "10 frames from 0.000 s to 0.360 s"
    assert read_back.fault(source, "mp4", whole) == ""
    lacking = read_back.fault(source, "mp4", Written(11, whole.first, whole.last))
    assert "it shows 10 frames from 0.000 s to 0.360 s" in lacking
    assert "10 frames" in read_back.fault(source, "mp4", Written(10, whole.first, Fraction(1)))
    monkeypatch.setattr(read_back, "read", lambda path, format: Written())
    done = run(source, tmp_path / "out.mp4", identity())
    assert done.out == tmp_path / "out.partial.mp4"
    assert "it shows 0 frames" in done.why


@pytest.mark.parametrize("out", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("starts", [(0, 0), (900, 0), (0, 900), (WRAP - 3, 5)])
def test_times_of_joined_transport_streams_go_on(
    starts: tuple[float, float], out: str, tmp_path: Path
) -> None:
    parts = [
        make(tmp_path / f"{number}.ts", "-output_ts_offset", str(start), sound="mp2")
        for number, start in enumerate(starts)
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    log = MessageLog()
    done = run(joined, tmp_path / f"out{out}", identity(), log=log)
    assert (done.frames, done.why) == (2 * FRAMES, "")
    first, second = shown(done.out)[:FRAMES], shown(done.out)[FRAMES:]
    assert_even(first)
    assert_even(second)
    back = starts[1] < starts[0] < WRAP - 100 or starts == (0, 0)
    assert any("jump back" in text for text in log.messages) == back
    gap = (
        0.5 if starts[1] < starts[0] < 1000 or starts == (0, 0) else (starts[1] - starts[0]) % WRAP
    )
    assert second[0] - first[0] == pytest.approx(gap, abs=0.1)


def test_a_clock_that_wraps_again_and_jumps_moves_all_streams_alike() -> None:
    jumps: list[float] = []
    clock = Clock(lambda back: jumps.append(float(back)))

    def corrected(stream: int, seconds: float) -> float:
        packet = FakePacket(stream, round(seconds % float(CLOCK_WRAP) * 90_000))
        clock.correct(packet)  # type: ignore[arg-type]
        assert packet.pts == packet.dts + 10
        return packet.dts / 90_000

    for day in range(8):
        for second in (0.0, 1.0, 2.0):
            time = day * 40_000 + second
            assert corrected(0, time) == pytest.approx(time)
            assert corrected(1, time + 0.3) == pytest.approx(time + 0.3)
    assert jumps == []
    now = 7 * 40_000 + 2.0
    before = [corrected(0, now + 1), corrected(1, now + 1.3)]
    after = [corrected(0, now - 500), corrected(1, now - 499.7)]
    assert jumps == [pytest.approx(501)]
    assert after == [pytest.approx(time + 0.04, abs=0.001) for time in before]


class FakePacket:
    """Times of a packet, in 1/90,000 s. Real streams of days would take hours to make."""

    time_base = Fraction(1, 90_000)
    duration = 3600

    def __init__(self, stream: int, time: int) -> None:
        self.stream = SimpleNamespace(index=stream)
        self.dts, self.pts = time, time + 10
