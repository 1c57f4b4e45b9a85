"""Tests of restored videos: pictures, times and metadata compared with those of the input."""

import errno
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.core.events import NoLog
from jobs.core.report import Report
from jobs.core.types.events import JobEvent
from jobs.media.h264 import encode
from jobs.media.images import Picture, read_image
from jobs.media.sample_clip import scene
from jobs.media.video import decode_frames, open_video, to_picture
from jobs.networks import starters
from jobs.networks.device import computes_bfloat16
from jobs.restoring import network, output_file, planes, video_out
from jobs.restoring.images import restore_folder, restore_image
from jobs.restoring.network import FrameRestorer, Model
from jobs.restoring.planes import layout_of, planar, planes_of
from jobs.restoring.video import Restored, restore_video
from jobs.restoring.video_in import Shot, VideoIn
from jobs.specs.networks import Starter
from models.build import GraphNetwork
from models.definitions.networks import NETWORKS
from models.restorer import Channels, Restorer, channels_seen

Clip = tuple[Path, Path]


class MessageLog(NoLog):
    """Keeps the messages of a report, and calls a function for its progress."""

    def __init__(self, on_progress: Callable[[int], object] = lambda done: None) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._on_progress = on_progress
        self.listeners.append(self._heard)

    def _heard(self, event: JobEvent) -> None:
        if event["type"] == "message":
            self.messages.append(event["text"])
        if event["type"] == "progress":
            self._on_progress(event["done"])


class Brighter(nn.Module):
    """Adds 0.1 to the image, after `wait` seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait

    def forward(self, image: Tensor) -> Tensor:
        time.sleep(self.wait)
        return image + 0.1


def identity(channels: Channels = "y", of_image: int = 3) -> Model:
    """An untrained network, whose output is its input."""
    net = GraphNetwork(
        NETWORKS["srcnn-9-1-5"].graph(channels_seen(channels, of_image), maps1=4, maps2=4)
    )
    return Model(Restorer(net, channels).eval(), of_image, 2**30)


def brighter(channels: Channels = "rgb", of_image: int = 3, wait: float = 0.0) -> Model:
    return Model(Restorer(Brighter(wait), channels).eval(), of_image, 2**30)


def run(
    source: Path,
    out: Path,
    model: Model,
    codec: Any = "h264",
    log: MessageLog | None = None,
    **more: Any,
) -> Restored:
    return restore_video(source, out, model, Report(log or MessageLog()), codec, **more)


def decoded(path: Path) -> list[list[planes.Plane]]:
    return [planes_of(planar(frame, (8, 10, 12, 16))) for frame in decode_frames(path)]


def psnr(a: list[planes.Plane], b: list[planes.Plane]) -> float:
    """PSNR in dB over Y, Cb and Cr together; 99 for equal planes."""
    error = sum(
        float(((plane.astype(float) - other) ** 2).sum()) for plane, other in zip(a, b, strict=True)
    )
    return 10 * np.log10(255**2 * sum(plane.size for plane in a) / error) if error else 99.0


def equal_planes(a: list[planes.Plane], b: list[planes.Plane]) -> bool:
    return all(np.array_equal(plane, other) for plane, other in zip(a, b, strict=True))


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
    subtitles: str = "",
    rotation: int = 0,
    colour: dict[str, int] | None = None,
    steps: tuple[int, ...] = (1,),
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video, optionally with sound, subtitles, rotation, colour tags and uneven times.

    `steps` are factors of the distance between frames, repeated. Times are in 1/600 s.
    """
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
        text: Any = out.add_stream(subtitles) if subtitles else None
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
                sound_frame = av.AudioFrame.from_ndarray(
                    np.repeat(tone, 2, 0) * 0.3, "fltp", "stereo"
                )
                sound_frame.sample_rate, sound_frame.pts = 48000, block * 1024
                out.mux(audio.encode(sound_frame))
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
def test_identity_network_is_lossless_in_ffv1_and_above_45_db_in_h264(
    name: str, media: Path, tmp_path: Path
) -> None:
    before = decoded(media / name)
    done = run(media / name, tmp_path / "out.mkv", identity(), "ffv1")
    after = decoded(tmp_path / "out.mkv")
    assert (done.frames, done.why) == (len(before), "")
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert equal_planes(old, new), f"frame {number}"
    run(media / name, tmp_path / "out.mp4", identity("rgb"))
    worst = min(
        psnr(old, new) for old, new in zip(before, decoded(tmp_path / "out.mp4"), strict=True)
    )
    assert worst > 45


@pytest.mark.parametrize("channels", ["rgb", "ycbcr", "y"])
@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p"])
def test_colour_channels_and_chroma_formats_are_preserved(
    channels: Channels, format: str, tmp_path: Path
) -> None:
    source = make_video(tmp_path / "in.mp4", 4, format=format)
    run(source, tmp_path / "out.mkv", identity(channels), "ffv1")
    old, new = decoded(source), decoded(tmp_path / "out.mkv")
    assert all(equal_planes(a, b) for a, b in zip(old, new, strict=True))
    run(source, tmp_path / "out.mp4", identity(channels))
    frame = next(decode_frames(tmp_path / "out.mp4"))
    assert frame.format.name.replace("yuvj", "yuv") == format.replace("yuvj", "yuv")
    assert layout_of(frame).colour.full_range in ({True} if "j" in format else {None, False})


@pytest.mark.parametrize(("matrix", "full"), [(1, 1), (6, 2), (9, 1)])
def test_decoded_output_shows_the_change_in_rgb(matrix: int, full: int, tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4", 3, format="yuv444p", colour={"colorspace": matrix, "color_range": full}
    )
    run(source, tmp_path / "out.mkv", brighter("rgb"), "ffv1")
    for old, new in zip(decode_frames(source), decode_frames(tmp_path / "out.mkv"), strict=True):
        expected = np.clip(to_picture(old).astype(float) + 25.5, 0, 255)
        inside = (expected < 250) & (expected > 30)
        # The rounding of three samples and of libswscale.
        assert np.abs(expected - to_picture(new))[inside].max() <= 3
        assert abs((to_picture(new) - expected)[inside].mean()) < 0.5


def test_grayscale_network_changes_only_the_brightness(
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


@pytest.mark.parametrize(("in_bytes", "limit"), [(True, 4), (False, 1)])
@pytest.mark.parametrize("starter", get_args(Starter))
def test_restored_y_is_that_of_the_network_in_float32(
    starter: Starter, in_bytes: bool, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_bytes:
        monkeypatch.setattr("jobs.restoring.network.computes_eight_bits", lambda _: False)
    source = make_video(tmp_path / "in.mkv", 3, size=(160, 96), codec="ffv1")  # Its QP is unknown.
    restorer, _ = starters.load(starter)
    run(source, tmp_path / "out.mkv", Model(restorer, 3, 2**30, qp=37), "ffv1")
    exact, _ = starters.load(starter)
    changed = 0
    for (y, *_), (new_y, *_) in zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True):
        image = torch.from_numpy((y.astype(np.float32) - 16) / 219)[None, None].clamp(0, 1)
        seen = torch.cat((image, torch.full_like(image, 37 / 51)), 1)
        with torch.inference_mode():
            expected = y + 219 * (exact(seen).clamp(0, 1) - image)[0, 0].numpy()
        # Rounding: half a level, a quarter in the mean. The rest is from 8 bits or bfloat16.
        error = np.abs(new_y - expected.clip(0, 255))
        assert error.max() < limit
        assert error.mean() < 0.3
        changed += int((new_y != y).sum())
    assert changed > 100


def test_values_beyond_black_and_white_are_restored_as_these() -> None:
    """Of video with overshoots, or of full range with a wrong tag."""
    y = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    restorer, _ = starters.load("fast")
    frames = FrameRestorer(Model(restorer, 1, 2**30, qp=37))
    frames.begin(layout_of(av.VideoFrame(96, 64, "yuv420p")))
    chroma, outputs = np.full((32, 48), 128, np.uint8), []
    for values in (y, y.clip(16, 235)):
        shot = Shot(0, 0, 0, Fraction(1, 25), [values, chroma, chroma], None)
        outputs.append(frames.restore([shot])[0].planes[0])
    inside = (y >= 16) & (y <= 235)
    assert np.array_equal(outputs[0][inside], outputs[1][inside])


def test_networks_whose_output_is_no_correction_compute_in_float32() -> None:
    for name, dtype in (("ecbnet", torch.bfloat16), ("ar-cnn", None)):
        net = GraphNetwork(NETWORKS[name].graph(1))
        net.fold()
        model = Model(Restorer(net, "y"), 3, 2**30)
        expected = dtype if computes_bfloat16(torch.device("cpu")) else None
        assert FrameRestorer(model).dtype == expected


def test_grayscale_video_stays_gray(tmp_path: Path) -> None:
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


def test_times_sound_rotation_aspect_ratio_and_colour_tags_are_kept(tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
    source = make_video(
        tmp_path / "in.mp4", 24, sound=True, rotation=90, colour=tags, steps=(1, 3, 2, 5)
    )
    for name in ("out.mp4", "out.mkv", "out.mov"):
        log = MessageLog()
        done = run(source, tmp_path / name, identity(), log=log)
        assert (done.frames, done.why, log.messages) == (24, "", [])
        old_times, new_times = times(source), times(tmp_path / name)
        # Matroska counts milliseconds and has no negative times: if the sound begins before
        # zero, FFmpeg shifts all streams.
        shift, tolerance = (new_times[0] - old_times[0], 0.0011) if name == "out.mkv" else (0, 0)
        assert (
            max(abs(a + shift - b) for a, b in zip(old_times, new_times, strict=True)) <= tolerance
        )
        old, new = packets(source, "audio"), packets(tmp_path / name, "audio")
        assert [data for data, _ in old] == [data for data, _ in new]
        assert (
            max(abs(a + float(shift) - b) for (_, a), (_, b) in zip(old, new, strict=True))
            <= 0.0021
        )
        frame = next(decode_frames(tmp_path / name))
        assert (frame.rotation, {key: int(getattr(frame, key)) for key in tags}) == (90, tags)
        with open_video(tmp_path / name) as output:
            assert output.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_missing_frame_rate_of_a_raw_stream_is_reported(
    clip: Clip, media: Path, tmp_path: Path
) -> None:
    log = MessageLog()
    run(media / "h264" / "BASQP1_Sony_C.jsv", tmp_path / "out.mp4", identity(), log=log)
    assert log.messages == [
        "BASQP1_Sony_C.jsv does not signal its frame rate: the output has 25 frames per second."
    ]
    assert times(tmp_path / "out.mp4") == [Fraction(number, 25) for number in range(4)]
    for rate in (25, 30):
        stream, log = tmp_path / f"at{rate}.h264", MessageLog()
        encode(scene(6, 96, 64, seed=1), stream, {"qp": "24"}, Fraction(rate))
        run(stream, tmp_path / f"at{rate}.mkv", identity(), log=log)
        assert log.messages == []
        assert [round(float(time), 2) for time in times(tmp_path / f"at{rate}.mkv")] == [
            round(number / rate, 2) for number in range(6)
        ]
    run(clip[0], tmp_path / "raw.h264", identity())
    assert len(decoded(tmp_path / "raw.h264")) == 24


def test_streams_that_a_container_does_not_support_are_reported(tmp_path: Path) -> None:
    source, log = make_video(tmp_path / "in.mp4", 4, sound=True), MessageLog()
    run(source, tmp_path / "out.h264", identity(), log=log)
    assert log.messages == [
        "Not copied: stream 1 (audio, aac). A raw stream can contain only the video."
    ]
    subtitled = with_subtitles(source, tmp_path / "subtitled.mkv")
    log = MessageLog()
    run(subtitled, tmp_path / "subtitled.ts", identity(), log=log)
    assert log.messages == [
        "Not copied: stream 2 (subtitle, srt). This container does not support it."
    ]
    log = MessageLog()
    run(subtitled, tmp_path / "kept.mkv", identity(), log=log)
    assert log.messages == []
    assert [data for data, _ in packets(tmp_path / "kept.mkv", "subtitle")] == [b"Hello"]


def with_subtitles(video: Path, path: Path) -> Path:
    """Copy a video and add a stream with one subtitle."""
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


@pytest.mark.parametrize("extension", [".mkv", ".mp4", ".h264"])
def test_truncated_file_is_restored_as_far_as_it_goes(extension: str, tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / f"in{extension}",
        60,
        sound=extension != ".h264",
        options={"movflags": "faststart"},
    )
    cut = tmp_path / f"cut{extension}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    done = run(cut, tmp_path / "out.mp4", identity())
    assert 10 < done.frames < 60
    assert len(decoded(tmp_path / "out.mp4")) == done.frames
    if extension != ".h264":  # A raw stream does not state its length.
        assert done.why.startswith(
            (
                f"cut{extension} is truncated: it ends after frame ",
                f"cut{extension} cannot be read after frame ",
                f"cut{extension}: the data after frame ",
            )
        )
    assert run(whole, tmp_path / "whole.mp4", identity()).why == ""


def test_undecodable_packets_are_skipped_and_reported(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mp4", 30)
    broken, data = tmp_path / "broken.mp4", whole.read_bytes()
    for packet, _ in packets(whole, "video")[12:14]:
        data = data.replace(packet, b"\xff" * len(packet))
    broken.write_bytes(data)
    done = run(broken, tmp_path / "out.mkv", identity())
    assert "broken.mp4: the data after frame " in done.why
    assert "cannot be decoded" in done.why
    assert len(decoded(tmp_path / "out.mkv")) == done.frames >= 25


def test_output_ends_where_the_size_changes(media: Path, tmp_path: Path) -> None:
    done = run(media / "h264" / "Error_I_P.264", tmp_path / "out.mp4", identity())
    assert "Frame 2 of Error_I_P.264 is 640×480, but the first frame is 352×288" in done.why
    assert len(decoded(tmp_path / "out.mp4")) == done.frames == 2


def test_stream_without_pictures_leaves_no_files(media: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"cannot be decoded|No frame of"):
        run(media / "h264" / "sps_subsetsps_bothVUI.264", tmp_path / "out.mp4", identity())
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes_are_reported(tmp_path: Path) -> None:
    source, log = make_video(tmp_path / "odd.mkv", 3, size=(97, 65), codec="ffv1"), MessageLog()
    done = run(source, tmp_path / "odd.mp4", identity(), log=log)
    assert (done.width, done.height) == (96, 64)
    (message,) = log.messages
    assert message.startswith("The video is 97×65: its odd last row or column is removed")
    run(source, tmp_path / "same.mkv", identity("rgb"), "ffv1")
    assert all(
        equal_planes(old, new)
        for old, new in zip(decoded(source), decoded(tmp_path / "same.mkv"), strict=True)
    )


def test_stopped_restoration_keeps_the_finished_frames(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 80, sound=True)
    (tmp_path / "out.mp4").write_text("an older file")
    report = Report(MessageLog(lambda done: setattr(report, "_stop", True)))
    model = brighter(wait=0.05)
    done = restore_video(source, tmp_path / "out.mp4", model, report, overwrite=True)
    assert done.out == tmp_path / "out.partial.mp4"
    assert done.why == f"Stopped after {done.frames} frames."
    assert len(decoded(done.out)) == done.frames
    assert 0 < done.frames < 80
    assert (tmp_path / "out.mp4").read_text() == "an older file"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.mp4",
        "out.mp4",
        "out.partial.mp4",
    ]


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_full_disk_leaves_a_playable_video(
    extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 120, size=(192, 128), sound=True)
    size = 150_000 + output_file.RESERVED_BYTES * 2

    class SmallDisk(output_file.OutputFile):
        """A file on a disk of `size` bytes."""

        def write(self, data: bytes) -> int:
            file = self._file

            class Disk:
                def write(_, more: bytes) -> int:
                    reserve = self._reserve_path
                    used = file.tell() + (reserve.stat().st_size if reserve.exists() else 0)
                    if used + len(more) > size:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return file.write(more)

            self._file = Disk()  # type: ignore[assignment]
            try:
                return super().write(data)
            finally:
                self._file = file

    monkeypatch.setattr(video_out, "OutputFile", SmallDisk)
    done = run(source, tmp_path / f"out{extension}", identity())
    assert done.out == tmp_path / f"out.partial{extension}"
    assert done.why.startswith(f"The disk is full: {done.frames} frames are complete.")
    assert len(decoded(done.out)) == done.frames
    assert 10 < done.frames < 120
    assert not list(tmp_path.glob(".*"))


def test_error_in_a_thread_is_raised_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 40)

    def fail(*_: object) -> None:
        raise JobError("It broke.")

    for owner, name in (
        (video_out.VideoOut, "write"),
        (VideoIn, "_shot"),
        (FrameRestorer, "restore"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            with pytest.raises(JobError, match=r"It broke\."):
                run(source, tmp_path / "out.mp4", identity())
        assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_decoding_network_and_encoding_run_in_parallel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 14)
    monkeypatch.setattr(network, "MAX_FRAMES", 2)
    # The ninth frame is decoded and the first written while the network has frames between them.
    meetings: list[str] = []
    all_at_work = threading.Barrier(3, action=lambda: meetings.append("all at work"))
    for owner, name, number in (
        (VideoIn, "_shot", 9),
        (FrameRestorer, "restore", 3),
        (video_out.VideoOut, "write", 1),
    ):
        monkeypatch.setattr(owner, name, met(getattr(owner, name), number, all_at_work))
    run(source, tmp_path / "out.mp4", brighter())
    assert meetings


def met(work: Callable[..., Any], number: int, barrier: threading.Barrier) -> Callable[..., Any]:
    """`work`, whose call of this number waits for the others at the barrier."""
    calls = count(1)

    def waits(*arguments: Any) -> Any:
        if next(calls) == number:
            barrier.wait(60)
        return work(*arguments)

    return waits


def test_memory_does_not_grow_with_the_length_of_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", 500, size=(128, 96), sound=True)
    process, used = psutil.Process(), dict[int, int]()
    log = MessageLog(lambda done: used.setdefault(done, process.memory_info().rss))
    report = Report(log)
    monkeypatch.setattr(report, "progress", lambda done, *_, **__: log._on_progress(done))
    restore_video(source, tmp_path / "out.mp4", identity("rgb"), report)
    early = max(rss for done, rss in used.items() if 100 <= done < 250)
    late = max(rss for done, rss in used.items() if done >= 400)
    assert late - early < 8 * 2**20, (
        "the planes and RGB of a frame are 55 kB, so 300 frames would be 17 MB"
    )


def test_impossible_output_names_are_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 2)
    (tmp_path / "existing.mp4").write_bytes(b"")
    for name, codec, message in (
        ("out.avi", "h264", "out.avi does not have the file extension of a supported video"),
        ("out.mp4", "ffv1", r"FFV1 requires \.mkv"),
        ("out.264", "hevc", r"HEVC requires \.mp4"),
        ("existing.mp4", "h264", "already exists"),
        ("in.mp4", "h264", "is the input itself"),
        ("missing/out.mp4", "h264", "missing does not exist"),
    ):
        with pytest.raises(JobError, match=message):
            run(source, tmp_path / name, identity(), codec)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_reads_the_output(clip: Clip, tmp_path: Path) -> None:
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
    (stream,) = json.loads(
        subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    )["streams"]
    assert (stream["codec_name"], stream["nb_read_frames"], stream["pix_fmt"]) == (
        "h264",
        "24",
        "yuv420p",
    )


def test_images_and_folders_of_images_are_restored(clip: Clip, tmp_path: Path) -> None:
    picture = read_image(clip[1] / "000003.bmp.gz")
    for name in ("single.png", "single.bmp", "single.bmp.gz", "single.tif", "single.webp"):
        done = restore_image(
            clip[1] / "000003.bmp.gz", tmp_path / name, identity("ycbcr"), Report(MessageLog())
        )
        assert (done.frames, done.width, done.height, done.out) == (1, 96, 64, tmp_path / name)
        assert np.array_equal(read_image(done.out), picture)
    done = restore_folder(clip[1], tmp_path / "all", brighter(), Report(MessageLog()))
    assert (done.frames, len(list((tmp_path / "all").iterdir()))) == (24, 24)
    expected: Picture = np.clip(picture + 25.5, 0, 255)
    assert np.abs(read_image(tmp_path / "all" / "000003.png") - expected).max() <= 0.5
    with pytest.raises(JobError, match="already exists"):
        restore_folder(clip[1], tmp_path / "all", brighter(), Report(MessageLog()))
    with pytest.raises(JobError, match="does not have the file extension of an image"):
        restore_image(
            clip[1] / "000003.bmp.gz", tmp_path / "single.xyz", identity(), Report(MessageLog())
        )
    gray = restore_image(
        clip[1] / "000003.bmp.gz", tmp_path / "gray.png", identity("rgb", 1), Report(MessageLog())
    )
    with Image.open(gray.out) as image:
        assert image.mode == "L"


def test_unreadable_image_in_a_folder_is_skipped_and_reported(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 30), "teal").save(folder / "a.png")
    Image.new("RGB", (20, 30), "teal").save(folder / "a.bmp")
    (folder / "b.png").write_text("no image")
    log = MessageLog()
    done = restore_folder(folder, tmp_path / "out", identity(), Report(log))
    assert done.why.startswith("Not all images were restored: b.png cannot be read as an image")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.bmp.png", "a.png.png"]


def test_frame_over_the_memory_limit_is_restored_in_tiles(tmp_path: Path) -> None:
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
