"""Property test of restored videos: random combinations of what a file can contain.

The ffmpeg command makes the input, ffprobe reads input and output. Both have the same frames,
times, sound and tags, or restore says what differs.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.field.test_video_losses import make
from tests.field.test_video_times import WRAP
from tests.jobs.restoring.test_video import MessageLog, decoded, equal_planes, identity, run

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

ROUNDS, ROUNDS_LONG = 6, 150
FRAMES = 12
TOLERANCE = 0.0021
"""Seconds. Matroska rounds times to milliseconds."""
CODECS = {
    ".mp4": ("libx264", "libx265", "mpeg4"),
    ".mov": ("libx264", "prores_ks", "mjpeg"),
    ".mkv": ("libx264", "libx265", "libvpx-vp9", "ffv1", "mpeg2video"),
    ".ts": ("libx264", "libx265", "mpeg2video"),
    ".mpg": ("mpeg2video",),
    ".flv": ("libx264",),
}
SOUNDS = {
    ".mp4": ("", "aac", "ac3"),
    ".mov": ("", "aac", "pcm_s16le"),
    ".mkv": ("", "aac", "libopus", "flac", "pcm_s16le"),
    ".ts": ("", "aac", "mp2", "ac3"),
    ".mpg": ("", "mp2"),
    ".flv": ("", "aac"),
}
TEXTS = {".mp4": "mov_text", ".mov": "mov_text", ".mkv": "srt"}
DEEP = ("libx264", "libx265", "ffv1", "libvpx-vp9")


@dataclass(frozen=True)
class Combination:
    """An input, and the output that it is restored to."""

    container: str
    codec: str
    b_frames: int
    rate: Fraction
    start: float
    cut: bool
    variable: bool
    sound: str
    text: bool
    rotated: bool
    aspect: bool
    deep: bool
    interlaced: bool
    cover: bool
    sounds: int
    out: str
    out_codec: str


def draw(random: Random) -> Combination:
    container = random.choice(list(CODECS))
    codec = random.choice(CODECS[container])
    out, out_codec = random.choice(
        [(out, codec) for codec in ("h264", "hevc") for out in (".mp4", ".mov", ".mkv", ".ts")]
        + [(".mkv", "ffv1")] * 3
    )
    # No frame is exactly at the wrap: FFmpeg gives it the time of the next one in a program stream.
    starts = [0, 1.4, 40_000] + [WRAP - 0.213] * (container in (".ts", ".mpg"))
    movie = container in (".mp4", ".mov")
    return Combination(
        container,
        codec,
        random.choice([0, 2]) if codec in ("libx264", "libx265", "mpeg2video") else 0,
        random.choice([Fraction(25), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(50)]),
        random.choice(starts),
        movie and random.random() < 0.4,
        container in (".mp4", ".mkv") and random.random() < 0.3,
        random.choice(SOUNDS[container]),
        container in TEXTS and random.random() < 0.4,
        movie and random.random() < 0.3,
        random.random() < 0.3,
        codec in DEEP and random.random() < 0.4,
        codec == "libx264" and random.random() < 0.3,
        container in (".mp4", ".mkv") and random.random() < 0.3,
        1 if container == ".flv" else random.choice([1, 2]),
        out,
        out_codec,
    )


def make_input(folder: Path, chosen: Combination) -> Path:
    seconds = 2 * FRAMES / chosen.rate
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r={chosen.rate}"]
    if chosen.sound:
        inputs += ["-f", "lavfi", "-i", f"sine=r=48000:duration={float(seconds)}"]
    if chosen.text:
        (folder / "text.srt").write_text("1\n00:00:00,040 --> 00:00:00,200\nA line\n")
        inputs += ["-i", str(folder / "text.srt"), "-c:s", TEXTS[chosen.container]]
    filters = ["tinterlace=4"] if chosen.interlaced else []
    filters += ["format=yuv420p10le" if chosen.deep else "format=yuv420p"]
    filters += ["setsar=4/3"] if chosen.aspect else []
    filters += ["select=not(eq(mod(n\\,5)\\,3))"] if chosen.variable else []
    video = ["-frames:v", str(FRAMES), "-c:v", chosen.codec, "-vf", ",".join(filters)]
    video += ["-vsync", "vfr"] if chosen.variable else []
    video += ["-bf", str(chosen.b_frames)] if chosen.b_frames else []
    video += ["-preset", "ultrafast"] if chosen.codec in ("libx264", "libx265") else []
    video += ["-flags", "+ilme+ildct", "-x264opts", "tff=1"] if chosen.interlaced else []
    video += ["-x265-params", "log-level=error"] if chosen.codec == "libx265" else []
    video += ["-strict", "-2"]
    tags = ["-metadata", "title=A title", "-metadata:s:a", "language=eng"]
    sound = ["-c:a", chosen.sound] if chosen.sound else []
    sound += ["-map", "0:v"] + ["-map", "1:a"] * chosen.sounds if chosen.sound else []
    sound += ["-map", "2:s" if chosen.sound else "1:s"] if chosen.sound and chosen.text else []
    start = ["-output_ts_offset", str(chosen.start), "-muxdelay", "0"]
    source = make(folder / f"whole{chosen.container}", *inputs, *video, *sound, *tags, *start)
    cover: list[str] = []
    if chosen.cover:
        pixel = ["-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1"]
        picture = str(make(folder / "cover.png", *pixel))
        flag = ["-i", picture, "-map", "1", "-disposition:v:1", "attached_pic"]
        attachment = ["-attach", picture, "-metadata:s:t", "mimetype=image/png"]
        cover = flag if chosen.container == ".mp4" else attachment
    for name, before, after in (
        ("cut", ["-ss", str(float(4 / chosen.rate))] if chosen.cut else [], []),
        ("turned", [], ["-metadata:s:v", "rotate=90"] if chosen.rotated else []),
        ("covered", [], cover),
    ):
        if before or after:
            inputs, options = (after[:2], after[2:]) if after[:1] == ["-i"] else ([], after)
            copy = [*before, "-i", str(source), *inputs, "-map", "0", "-c", "copy", *options]
            source = make(folder / f"{name}{chosen.container}", *copy)
    return source


def probed(path: Path, *options: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", *options, "-of", "json", str(path)]
    answer: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    )
    return answer


def frame_times(path: Path) -> list[float]:
    """The times of all frames (s). NaN in a program stream, which gives times to some packets.

    Without those before 0 in a movie, which ffprobe shows of some codecs: its edit list hides them.
    """
    answer = probed(path, "-select_streams", "v:0", "-show_frames")
    times = [float(frame.get("best_effort_timestamp_time", "nan")) for frame in answer["frames"]]
    return [time for time in times if not (time < 0 and path.suffix in (".mp4", ".mov"))]


def sound_times(path: Path) -> list[float]:
    answer = probed(path, "-select_streams", "a:0", "-show_packets")
    return [float(packet["pts_time"]) for packet in answer["packets"]]


def tags(path: Path) -> dict[str, Any]:
    """What else ffprobe says of a file, by the words with which restore reports its loss."""
    answer = probed(path, "-show_streams", "-show_format")
    video, *others = answer["streams"]
    turns = [data["rotation"] for data in video.get("side_data_list", []) if "rotation" in data]
    return {
        "title": answer["format"].get("tags", {}).get("title"),
        "rotation": turns,
        "aspect ratio": video.get("sample_aspect_ratio", "1:1").replace("N/A", "1:1"),
        "bits per value": "10" in video["pix_fmt"],
        "progressive": video.get("field_order", "progressive") in ("progressive", "unknown"),
        "cover art": sum(stream["disposition"]["attached_pic"] for stream in others),
        "subtitle": sum(stream["codec_type"] == "subtitle" for stream in others),
        "audio": sum(stream["codec_type"] == "audio" for stream in others),
        "language": [
            stream.get("tags", {}).get("language", "und")
            for stream in others
            if stream["codec_type"] == "audio"
        ],
    }


def from_first(times: list[float]) -> list[float]:
    return [time - times[0] for time in times]


def assert_same(source: Path, out: Path, said: str, kept_start: bool) -> None:
    before, after = frame_times(source), frame_times(out)
    assert len(before) == len(after)
    for frame, next_frame in zip(from_first(before), from_first(after), strict=True):
        assert not abs(frame - next_frame) > TOLERANCE  # NaN is equal to all.
    assert after[0] >= 0
    lost = {name for name, value in tags(source).items() if tags(out)[name] != value}
    lost -= {"language"} if "audio" in lost else set()
    assert all(name in said for name in lost), f"{lost} without a word: {said}"
    if tags(out)["audio"]:
        sound, copied = sound_times(source), sound_times(out)
        assert len(sound) == len(copied) or "cut off by the input's edit list" in said
        assert not sound or not abs((sound[-1] - before[0]) - (copied[-1] - after[0])) > TOLERANCE
    if kept_start and "begin at" not in said:
        # Sound that fills the decoder takes 0.1 s, and an edit list may start within a frame.
        assert not abs(before[0] - after[0]) > 0.1 + 1 / 23


def test_restored_files_equal_their_inputs_or_restore_says_what_differs(
    tmp_path: Path, long: bool
) -> None:
    for seed in range(ROUNDS_LONG if long else ROUNDS):
        chosen = draw(Random(seed))
        folder = tmp_path / str(seed)
        folder.mkdir()
        source, log = make_input(folder, chosen), MessageLog()
        done = run(source, folder / f"out{chosen.out}", identity(), chosen.out_codec, log)
        said = "\n".join(log.messages)
        context = f"seed {seed}: {chosen}\n{said}"
        assert done.why == "", context
        try:
            assert_same(source, done.out, said, chosen.out != ".ts")
            if chosen.out_codec == "ffv1":
                pairs = zip(decoded(source), decoded(done.out), strict=True)
                assert all(equal_planes(old, new) for old, new in pairs)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{context}") from error
