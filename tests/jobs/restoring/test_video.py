"""Restored videos against what was decoded: pictures, times, and all that a file tells of them."""

import errno
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.core.events import Event, NoLog
from jobs.core.report import Report
from jobs.media.h264 import encode
from jobs.media.images import Picture, read_image
from jobs.media.sample_clip import scene
from jobs.media.video import decode_frames, open_video, to_picture
from jobs.restoring import planes, video_out
from jobs.restoring import video as video_restoring
from jobs.restoring.images import restore_folder, restore_image
from jobs.restoring.planes import layout_of, planar, planes_of
from jobs.restoring.video import Model, Restored
from models.build import GraphNetwork
from models.definitions.networks import NETWORKS
from models.restorer import Channels, Restorer, channels_seen

Clip = tuple[Path, Path]


class Told(NoLog):
    """Keeps the words of a report, and calls back for its progress."""

    def __init__(self, seen: Callable[[int], object] = lambda done: None) -> None:
        self.words: list[str] = []
        self._seen = seen

    def append(self, type: str, **fields: Any) -> Event:
        if type == "message":
            self.words.append(fields["text"])
        if type == "progress":
            self._seen(fields["done"])
        return super().append(type, **fields)


class Brighter(nn.Module):
    """Adds a tenth of the range, after `wait` seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait

    def forward(self, image: Tensor) -> Tensor:
        time.sleep(self.wait)
        return image + 0.1


def identity(channels: Channels = "y", of_image: int = 3) -> Model:
    """An untrained network, which gives back what it sees."""
    net = GraphNetwork(
        NETWORKS["srcnn-9-1-5"].graph(channels_seen(channels, of_image), maps1=4, maps2=4)
    )
    return Model(Restorer(net, channels).eval(), of_image, 2**30)


def brighter(channels: Channels = "rgb", of_image: int = 3, wait: float = 0.0) -> Model:
    return Model(Restorer(Brighter(wait), channels).eval(), of_image, 2**30)


def run(
    source: Path, out: Path, model: Model, codec: Any = "h264", log: Told | None = None, **more: Any
) -> Restored:
    return video_restoring.restore_video(source, out, model, Report(log or Told()), codec, **more)


def decoded(path: Path) -> list[list[planes.Plane]]:
    return [planes_of(planar(frame)) for frame in decode_frames(path)]


def likeness(a: list[planes.Plane], b: list[planes.Plane]) -> float:
    """PSNR in dB over Y, Cb and Cr together; 99 for equal ones."""
    wrong = sum(
        float(((one.astype(float) - other) ** 2).sum()) for one, other in zip(a, b, strict=True)
    )
    return 10 * np.log10(255**2 * sum(one.size for one in a) / wrong) if wrong else 99.0


def times(path: Path) -> list[Fraction]:
    return [
        frame.pts * frame.time_base
        for frame in decode_frames(path)
        if frame.pts is not None and frame.time_base is not None
    ]


def make_video(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (96, 64),
    format: str = "yuv420p",
    codec: str = "libx264",
    sound: bool = False,
    words: str = "",
    rotation: int = 0,
    colour: dict[str, int] | None = None,
    steps: tuple[int, ...] = (1,),
    options: dict[str, str] | None = None,
) -> Path:
    """A video with sound, subtitles, a rotation, colours that are signalled, and frames at uneven times (in 1/600 s)."""
    with av.open(str(path), "w", options=options or {}) as out:
        video: Any = out.add_stream(
            codec, rate=25, options={"qp": "24"} if codec == "libx264" else {}
        )
        video.width, video.height, video.pix_fmt = *size, format
        context = video.codec_context
        context.time_base = Fraction(1, 600)
        context.sample_aspect_ratio = Fraction(4, 3)
        for key, value in (colour or {}).items():
            setattr(context, key, value)
        if rotation:
            video.set_display_rotation(rotation)
        audio: Any = out.add_stream("aac", rate=48000) if sound else None
        text: Any = out.add_stream(words) if words else None
        pts = 0
        for number, picture in enumerate(
            islice(cycle(list(scene(min(frames, 24), *size, seed=1))), frames)
        ):
            frame = av.VideoFrame.from_ndarray(picture.copy(), "rgb24").reformat(format=format)
            frame.pts, frame.time_base = pts, Fraction(1, 600)
            pts += 24 * steps[number % len(steps)]
            out.mux(video.encode(frame))
        if audio is not None:
            for block in range(int(pts / 600 * 48000) // 1024):
                tone = np.sin(np.arange(1024) * 0.05 + block)[None].astype(np.float32)
                heard = av.AudioFrame.from_ndarray(np.repeat(tone, 2, 0) * 0.3, "fltp", "stereo")
                heard.sample_rate, heard.pts = 48000, block * 1024
                out.mux(audio.encode(heard))
            out.mux(audio.encode())
        assert text is None or text.type == "subtitle"
        out.mux(video.encode())
    return path


def packets(path: Path, type: str) -> list[tuple[bytes, float]]:
    with av.open(str(path)) as source:
        stream = next(stream for stream in source.streams if stream.type == type)
        return [
            (bytes(packet), round(float(packet.pts * packet.time_base), 3))
            for packet in source.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]


@pytest.mark.parametrize(
    "name", ["h264/SarVui.264", "h264/test_vd_rc.264", "clips/carphone_pristine.mp4"]
)
def test_an_identity_gives_back_every_sample_in_ffv1_and_over_45_db_in_h264(
    name: str, media: Path, tmp_path: Path
) -> None:
    before = decoded(media / name)
    done = run(media / name, tmp_path / "out.mkv", identity(), "ffv1")
    after = decoded(tmp_path / "out.mkv")
    assert (done.frames, done.why) == (len(before), "")
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert all(np.array_equal(one, other) for one, other in zip(old, new, strict=True)), (
            f"frame {number}"
        )
    run(media / name, tmp_path / "out.mp4", identity("rgb"))
    worst = min(
        likeness(old, new) for old, new in zip(before, decoded(tmp_path / "out.mp4"), strict=True)
    )
    assert worst > 45


@pytest.mark.parametrize("channels", ["rgb", "ycbcr", "y"])
@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p"])
def test_all_colours_and_chroma_formats_come_through(
    channels: Channels, format: str, tmp_path: Path
) -> None:
    source = make_video(tmp_path / "in.mp4", 4, format=format)
    run(source, tmp_path / "out.mkv", identity(channels), "ffv1")
    old, new = decoded(source), decoded(tmp_path / "out.mkv")
    assert all(
        np.array_equal(one, other)
        for a, b in zip(old, new, strict=True)
        for one, other in zip(a, b, strict=True)
    )
    run(source, tmp_path / "out.mp4", identity(channels))
    frame = next(decode_frames(tmp_path / "out.mp4"))
    assert frame.format.name.replace("yuvj", "yuv") == format.replace("yuvj", "yuv")
    assert layout_of(frame).colour.full_range in ({True} if "j" in format else {None, False})


@pytest.mark.parametrize(("matrix", "full"), [(1, 1), (6, 2), (9, 1)])
def test_what_the_network_changes_in_rgb_is_what_a_player_shows(
    matrix: int, full: int, tmp_path: Path
) -> None:
    source = make_video(
        tmp_path / "in.mp4", 3, format="yuv444p", colour={"colorspace": matrix, "color_range": full}
    )
    run(source, tmp_path / "out.mkv", brighter("rgb"), "ffv1")
    for old, new in zip(decode_frames(source), decode_frames(tmp_path / "out.mkv"), strict=True):
        expected = np.clip(to_picture(old).astype(float) + 25.5, 0, 255)
        inside = (expected < 250) & (expected > 30)
        # Three samples that are rounded, and the rounding of libswscale.
        assert np.abs(expected - to_picture(new))[inside].max() <= 3
        assert abs((to_picture(new) - expected)[inside].mean()) < 0.5


def test_a_network_of_grayscale_restores_the_brightness_and_leaves_the_colours(
    tmp_path: Path,
) -> None:
    source = make_video(tmp_path / "in.mp4", 3)
    for model in (brighter("rgb", 1), brighter("y")):
        run(source, tmp_path / "out.mkv", model, "ffv1", overwrite=True)
        for (y, cb, cr), (new_y, new_cb, new_cr) in zip(
            decoded(source), decoded(tmp_path / "out.mkv"), strict=True
        ):
            assert np.array_equal(cb, new_cb)
            assert np.array_equal(cr, new_cr)
            inside = (y > 20) & (y < 200)
            assert set(np.unique((new_y.astype(int) - y)[inside])) <= {21, 22}


def test_a_grayscale_video_stays_gray(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", 3, format="gray", codec="ffv1")
    for model in (identity("rgb"), identity("rgb", 1)):
        run(source, tmp_path / "out.mkv", model, "ffv1", overwrite=True)
        assert all(
            np.array_equal(old[0], new[0])
            for old, new in zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True)
        )
        run(source, tmp_path / "out.mp4", model, overwrite=True)
        assert all(
            (plane == 128).all() for frame in decoded(tmp_path / "out.mp4") for plane in frame[1:]
        )


def test_times_sound_rotation_aspect_and_colours_are_kept(tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
    source = make_video(
        tmp_path / "in.mp4", 24, sound=True, rotation=90, colour=tags, steps=(1, 3, 2, 5)
    )
    for name in ("out.mp4", "out.mkv", "out.mov"):
        log = Told()
        done = run(source, tmp_path / name, identity(), log=log)
        assert (done.frames, done.why, log.words) == (24, "", [])
        old_times, new_times = times(source), times(tmp_path / name)
        # Matroska counts milliseconds, and has no time before zero: where sound begins there, FFmpeg moves all streams.
        moved, least = (new_times[0] - old_times[0], 0.0011) if name == "out.mkv" else (0, 0)
        assert max(abs(a + moved - b) for a, b in zip(old_times, new_times, strict=True)) <= least
        old, new = packets(source, "audio"), packets(tmp_path / name, "audio")
        assert [data for data, _ in old] == [data for data, _ in new]
        assert (
            max(abs(a + float(moved) - b) for (_, a), (_, b) in zip(old, new, strict=True))
            <= 0.0021
        )
        frame = next(decode_frames(tmp_path / name))
        assert (frame.rotation, {key: int(getattr(frame, key)) for key in tags}) == (90, tags)
        with open_video(tmp_path / name) as made:
            assert made.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_a_frame_rate_that_a_stream_does_not_say_is_said(
    clip: Clip, media: Path, tmp_path: Path
) -> None:
    log = Told()
    run(media / "h264" / "BASQP1_Sony_C.jsv", tmp_path / "out.mp4", identity(), log=log)
    assert log.words == [
        "BASQP1_Sony_C.jsv does not say its frame rate: it gets 25 frames a second."
    ]
    assert times(tmp_path / "out.mp4") == [Fraction(number, 25) for number in range(4)]
    for rate in (25, 30):
        told, log = tmp_path / f"at{rate}.h264", Told()
        encode(scene(6, 96, 64, seed=1), told, {"qp": "24"}, Fraction(rate))
        run(told, tmp_path / f"at{rate}.mkv", identity(), log=log)
        assert log.words == []
        assert [round(float(one), 2) for one in times(tmp_path / f"at{rate}.mkv")] == [
            round(number / rate, 2) for number in range(6)
        ]
    run(clip[0], tmp_path / "raw.h264", identity())
    assert len(decoded(tmp_path / "raw.h264")) == 24


def test_what_a_container_does_not_take_is_said(tmp_path: Path) -> None:
    source, log = make_video(tmp_path / "in.mp4", 4, sound=True), Told()
    run(source, tmp_path / "out.h264", identity(), log=log)
    assert log.words == [
        "Left out: stream 1 (audio, aac). A raw stream holds nothing but the video."
    ]
    subtitled = subtitles(source, tmp_path / "words.mkv")
    log = Told()
    run(subtitled, tmp_path / "words.mp4", identity(), log=log)
    assert log.words == [
        "Left out: stream 2 (subtitle, srt). A file of this kind does not take it."
    ]
    log = Told()
    run(subtitled, tmp_path / "kept.mkv", identity(), log=log)
    assert log.words == []
    assert [data for data, _ in packets(tmp_path / "kept.mkv", "subtitle")] == [b"Hello"]


def subtitles(video: Path, path: Path) -> Path:
    """The video with a line of text behind its other streams."""
    with av.open(str(video)) as source, av.open(str(path), "w") as out:
        copies = {
            stream.index: out.add_stream_from_template(stream, opaque=True)
            for stream in source.streams
        }
        text = out.add_mux_stream("subrip")
        out.start_encoding()
        line = av.Packet(b"Hello")
        line.pts = line.dts = 20
        line.duration, line.time_base, line.stream = 100, Fraction(1, 1000), text
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
        out.mux(line)
    return path


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".h264"])
def test_a_file_that_was_cut_off_is_restored_up_to_there(ending: str, tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / f"in{ending}", 60, sound=ending != ".h264", options={"movflags": "faststart"}
    )
    cut = tmp_path / f"cut{ending}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    done = run(cut, tmp_path / "out.mp4", identity())
    assert 10 < done.frames < 60
    assert len(decoded(tmp_path / "out.mp4")) == done.frames
    if ending != ".h264":  # A raw stream says nowhere how long it is.
        assert (
            f"cut{ending} breaks off behind frame " in done.why
            or f"cut{ending}: what follows frame " in done.why
        )
    assert run(whole, tmp_path / "whole.mp4", identity()).why == ""


def test_packets_that_do_not_decode_are_left_out_and_named(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mp4", 30)
    broken, data = tmp_path / "broken.mp4", whole.read_bytes()
    for packet, _ in packets(whole, "video")[12:14]:
        data = data.replace(packet, b"\xff" * len(packet))
    broken.write_bytes(data)
    done = run(broken, tmp_path / "out.mkv", identity())
    assert "broken.mp4: what follows frame " in done.why
    assert "cannot be decoded" in done.why
    assert len(decoded(tmp_path / "out.mkv")) == done.frames >= 25


def test_a_size_that_changes_ends_the_output_there(media: Path, tmp_path: Path) -> None:
    done = run(media / "h264" / "Error_I_P.264", tmp_path / "out.mp4", identity())
    assert "Frame 2 of Error_I_P.264 is 640x480, but the video began with 352x288" in done.why
    assert len(decoded(tmp_path / "out.mp4")) == done.frames == 2


def test_a_stream_without_a_picture_leaves_nothing(media: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"cannot be decoded|No frame of"):
        run(media / "h264" / "sps_subsetsps_bothVUI.264", tmp_path / "out.mp4", identity())
    assert list(tmp_path.iterdir()) == []


def test_odd_sides_and_more_bits_are_said(tmp_path: Path) -> None:
    source, log = make_video(tmp_path / "odd.mkv", 3, size=(97, 65), codec="ffv1"), Told()
    done = run(source, tmp_path / "odd.mp4", identity(), log=log)
    assert (done.width, done.height) == (96, 64)
    (words,) = log.words
    assert words.startswith("The video is 97x65: its odd last row or column is left out")
    run(source, tmp_path / "same.mkv", identity("rgb"), "ffv1")
    assert all(
        np.array_equal(one, other)
        for old, new in zip(decoded(source), decoded(tmp_path / "same.mkv"), strict=True)
        for one, other in zip(old, new, strict=True)
    )
    log = Told()
    run(
        make_video(tmp_path / "deep.mkv", 3, format="yuv420p10le", codec="ffv1"),
        tmp_path / "deep.mp4",
        identity(),
        log=log,
    )
    assert "its 10 bits a value become 8" in log.words[0]
    assert next(decode_frames(tmp_path / "deep.mp4")).format.name == "yuv420p"


def test_who_stops_it_keeps_what_was_restored(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 80, sound=True)
    (tmp_path / "out.mp4").write_text("an older one")
    report = Report(Told(lambda done: setattr(report, "_stop", True)))
    model = brighter(wait=0.05)
    done = video_restoring.restore_video(
        source, tmp_path / "out.mp4", model, report, overwrite=True
    )
    assert done.out == tmp_path / "out.partial.mp4"
    assert done.why == f"Stopped after {done.frames} frames."
    assert len(decoded(done.out)) == done.frames
    assert 0 < done.frames < 80
    assert (tmp_path / "out.mp4").read_text() == "an older one"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.mp4",
        "out.mp4",
        "out.partial.mp4",
    ]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_disk_that_is_full_leaves_a_video_that_plays(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 120, size=(192, 128), sound=True)
    size = 150_000 + video_out.KEPT_BYTES * 2

    class Small(video_out._Room):
        """On a disk of that size."""

        def write(self, data: bytes) -> int:
            file = self._file

            class Disk:
                def write(_, more: bytes) -> int:
                    used = file.tell() + (
                        self._beside.stat().st_size if self._beside.exists() else 0
                    )
                    if used + len(more) > size:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return file.write(more)

            self._file = Disk()  # type: ignore[assignment]
            try:
                return super().write(data)
            finally:
                self._file = file

    monkeypatch.setattr(video_out, "_Room", Small)
    done = run(source, tmp_path / f"out{ending}", identity())
    assert done.out == tmp_path / f"out.partial{ending}"
    assert done.why.startswith(f"The disk is full: {done.frames} frames are whole.")
    assert len(decoded(done.out)) == done.frames
    assert 10 < done.frames < 120
    assert not list(tmp_path.glob(".*"))


def test_what_goes_wrong_in_a_thread_is_raised_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 40)

    def fail(*_: object) -> None:
        raise JobError("It broke.")

    for owner, name in (
        (video_out.VideoOut, "write"),
        (video_restoring._Reader, "_shot"),
        (video_restoring._Painter, "restore"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            with pytest.raises(JobError, match=r"It broke\."):
                run(source, tmp_path / "out.mp4", identity())
        assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_the_three_parts_work_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 40)
    monkeypatch.setattr(video_restoring, "MOST", 2)
    shot, write = video_restoring._Reader._shot, video_out.VideoOut.write

    def slow_shot(*given: Any) -> Any:
        time.sleep(0.02)
        return shot(*given)

    def slow_write(*given: Any) -> None:
        time.sleep(0.02)
        write(*given)

    monkeypatch.setattr(video_restoring._Reader, "_shot", slow_shot)
    monkeypatch.setattr(video_out.VideoOut, "write", slow_write)
    began = time.monotonic()
    run(source, tmp_path / "out.mp4", brighter(wait=0.04))
    assert time.monotonic() - began < 0.75 * 40 * 0.06, (
        "one after another they take 40 x 0.06 s at least"
    )


def test_a_long_video_takes_no_more_memory_than_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 500, size=(128, 96), sound=True)
    process, used = psutil.Process(), dict[int, int]()
    log = Told(lambda done: used.setdefault(done, process.memory_info().rss))
    report = Report(log)
    monkeypatch.setattr(
        report, "progress", lambda done, *_, **__: log.append("progress", done=done)
    )
    video_restoring.restore_video(source, tmp_path / "out.mp4", identity("rgb"), report)
    early = max(rss for done, rss in used.items() if 100 <= done < 250)
    late = max(rss for done, rss in used.items() if done >= 400)
    assert late - early < 8 * 2**20, (
        "a frame's planes and RGB are 55 kB: 300 of them would be 17 MB"
    )


def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 2)
    (tmp_path / "there.mp4").write_bytes(b"")
    for name, codec, words in (
        ("out.avi", "h264", "out.avi has no ending of a video that can be written"),
        ("out.mp4", "ffv1", r"FFV1 is written into \.mkv only"),
        ("there.mp4", "h264", "is there already"),
        ("in.mp4", "h264", "is the input itself"),
        ("not/there.mp4", "h264", "There is no folder"),
    ):
        with pytest.raises(JobError, match=words):
            run(source, tmp_path / name, identity(), codec)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_reads_what_was_written(clip: Clip, tmp_path: Path) -> None:
    run(clip[0], tmp_path / "out.mp4", identity())
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_streams",
        "-of",
        "json",
        str(tmp_path / "out.mp4"),
    ]
    (stream,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[
        "streams"
    ]
    assert (stream["codec_name"], stream["nb_read_frames"], stream["pix_fmt"]) == (
        "h264",
        "24",
        "yuv420p",
    )


def test_images_are_restored_one_by_one_or_a_folder(clip: Clip, tmp_path: Path) -> None:
    picture = read_image(clip[1] / "000003.bmp.gz")
    for name in ("one.png", "one.bmp", "one.bmp.gz", "one.tif", "one.webp"):
        done = restore_image(
            clip[1] / "000003.bmp.gz", tmp_path / name, identity("ycbcr"), Report(Told())
        )
        assert (done.frames, done.width, done.height, done.out) == (1, 96, 64, tmp_path / name)
        assert np.array_equal(read_image(done.out), picture)
    done = restore_folder(clip[1], tmp_path / "all", brighter(), Report(Told()))
    assert (done.frames, len(list((tmp_path / "all").iterdir()))) == (24, 24)
    expected: Picture = np.clip(picture + 25.5, 0, 255)
    assert np.abs(read_image(tmp_path / "all" / "000003.png") - expected).max() <= 0.5
    with pytest.raises(JobError, match="is there already"):
        restore_folder(clip[1], tmp_path / "all", brighter(), Report(Told()))
    with pytest.raises(JobError, match="has no ending of an image"):
        restore_image(clip[1] / "000003.bmp.gz", tmp_path / "one.xyz", identity(), Report(Told()))
    gray = restore_image(
        clip[1] / "000003.bmp.gz", tmp_path / "gray.png", identity("rgb", 1), Report(Told())
    )
    with Image.open(gray.out) as image:
        assert image.mode == "L"


def test_an_image_of_a_folder_that_is_none_is_left_out_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 30), "teal").save(folder / "a.png")
    Image.new("RGB", (20, 30), "teal").save(folder / "a.bmp")
    (folder / "b.png").write_text("no image")
    log = Told()
    done = restore_folder(folder, tmp_path / "out", identity(), Report(log))
    assert done.why.startswith("Not all images were restored: b.png is no image that can be read")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.bmp.png", "a.png.png"]


def test_a_frame_larger_than_the_memory_is_restored_in_tiles(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 2, size=(192, 128))
    torch.manual_seed(0)
    model = identity()
    with torch.no_grad():
        for weights in model.restorer.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.01)
    run(source, tmp_path / "whole.mkv", model, "ffv1")
    run(source, tmp_path / "tiles.mkv", Model(model.restorer, 3, 400_000), "ffv1")
    whole, tiled = decoded(tmp_path / "whole.mkv"), decoded(tmp_path / "tiles.mkv")
    assert all(
        np.abs(a[0].astype(int) - b[0]).max() <= 1 for a, b in zip(whole, tiled, strict=True)
    )
    assert not np.array_equal(whole[0][0], decoded(source)[0][0])
    with pytest.raises(JobError, match="are too little for that"):
        run(source, tmp_path / "none.mkv", Model(model.restorer, 3, 1000), "ffv1")
