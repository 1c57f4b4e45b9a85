"""What a restored video keeps besides pictures and times, and the messages about what it loses."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from jobs.core.errors import JobError
from jobs.media.video import decode_frames, is_cover
from jobs.restoring import hdr
from jobs.restoring.losses import ranges
from tests.field.test_video_times import shown, sound_offset
from tests.jobs.restoring.test_video import MessageLog, identity, run
from tests.support.field_datasets import field_file

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4")
TONE = ("-f", "lavfi", "-i", "sine=duration=0.4")
X264 = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast")
MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
TAGS = """;FFMETADATA1
title=A title
artist=A name
invented=a value
[CHAPTER]
TIMEBASE=1/1000
START=0
END=200
title=One
[CHAPTER]
TIMEBASE=1/1000
START=200
END=400
title=Two
"""


def make(path: Path, *options: str | Path) -> Path:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *map(str, options), str(path)], check=True, timeout=120
    )
    return path


def probe(path: Path) -> dict[str, Any]:
    """The first stream and the first frame of a video, as ffprobe reports them."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-show_frames"]
    command += ["-read_intervals", "%+#1", "-of", "json", str(path)]
    answer = json.loads(
        subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    )
    return {**answer["streams"][0], **answer["frames"][0]}


def messages(source: Path, out: Path, codec: str = "h264") -> str:
    log = MessageLog()
    done = run(source, out, identity(), codec, log)
    assert done.why == ""
    return "\n".join(log.messages)


@pytest.mark.parametrize(("first", "order"), [("tff", "tt"), ("bff", "bb")])
@pytest.mark.parametrize("source", [".mp4", ".mkv", ".ts", ".264"])
def test_field_order_is_kept(first: str, order: str, source: str, tmp_path: Path) -> None:
    options = ("-flags", "+ilme+ildct", "-x264opts", f"{first}=1", "-vf")
    filters = f"tinterlace=4,fieldorder={first},format=yuv420p"
    interlaced = make(tmp_path / f"in{source}", *PICTURES, *X264, *options, filters)
    for name, codec in (("out.mp4", "h264"), ("out.ts", "h264"), ("out.mkv", "ffv1")):
        assert "both fields" in messages(interlaced, tmp_path / name, codec)
        output = probe(tmp_path / name)
        assert output["interlaced_frame"] == 1
        assert output["top_field_first"] == (first == "tff")
        assert output["field_order"] == order


def test_field_order_that_h264_cannot_keep_is_reported(tmp_path: Path) -> None:
    options = ("-vf", "tinterlace=4,crop=64:46,setfield=tff,format=yuv420p")
    source = make(tmp_path / "in.mkv", *PICTURES, *options, "-c:v", "ffv1")
    assert "marked as progressive" in messages(source, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4")["interlaced_frame"] == 0


def test_frames_that_are_not_interlaced_like_the_first_are_reported(tmp_path: Path) -> None:
    source = make(tmp_path / "a.ts", *PICTURES, *X264)
    options = ("-flags", "+ilme+ildct", "-x264opts", "tff=1")
    more = make(tmp_path / "b.ts", *PICTURES, *X264, *options, "-output_ts_offset", "0.4")
    source.write_bytes(source.read_bytes() + more.read_bytes())
    assert "is interlaced, unlike those before it" in messages(source, tmp_path / "out.mp4")


def test_damaged_frames_are_reported_and_counted(tmp_path: Path) -> None:
    text = messages(field_file("damaged.mp4"), tmp_path / "out.mp4")
    assert "Frame 0 of damaged.mp4 is damaged" in text
    assert "1 of 48 frames of damaged.mp4 are damaged: 0." in text


@pytest.mark.parametrize("source", [".mp4", ".mkv", ".ts"])
def test_damage_is_reported_in_any_container(source: str, tmp_path: Path) -> None:
    options = ("-g", "3", "-qp", "10", "-threads", "1")
    stream = make(tmp_path / f"in{source}", *PICTURES, *X264, *options)
    data = bytearray(stream.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(byte ^ 0x15 for byte in data[middle : middle + 300])
    stream.write_bytes(data)
    log = MessageLog()
    done = run(stream, tmp_path / "out.mkv", identity(), log=log)
    assert any("is damaged" in text for text in log.messages) or done.why


def places_of_pictures(stream: bytes) -> list[int]:
    """The places of the headers of coded pictures in a raw stream of H.264."""
    places = [match.end() for match in re.finditer(b"\0\0\1", stream)]
    return [place for place in places if stream[place] & 31 in (1, 5)]


def with_header(folder: Path, container: str, header: int, *options: str) -> Path:
    """A stream whose seventh picture has another NAL header."""
    whole = make(folder / "whole.264", *PICTURES, *X264, "-bf", "0", *options)
    data = bytearray(whole.read_bytes())
    place = places_of_pictures(bytes(data))[6]
    source = folder / "in.264"
    if container == ".264":
        data[place] = header
        source.write_bytes(data)
    else:
        copy = make(folder / f"copy{container}", "-i", whole, "-c", "copy")
        source = folder / f"in{container}"
        picture = bytes(data[place : place + 24])
        copied = copy.read_bytes()
        assert copied.count(picture) == 1
        source.write_bytes(copied.replace(picture, bytes([header]) + picture[1:]))
    return source


# Unknown types; messages, the end of a stream, delimiters and filler, whose content differs.
@pytest.mark.parametrize("header", [0x00, 0x1F, 0xE1, 0x78, 0x06, 0x0A, 0x49, 0x4C])
@pytest.mark.parametrize("container", [".264", ".ts", ".mp4"])
def test_a_destroyed_nal_header_is_reported(header: int, container: str, tmp_path: Path) -> None:
    source = with_header(tmp_path, container, header)
    log = MessageLog()
    done = run(source, tmp_path / "out.mkv", identity(), log=log)
    assert done.frames == 9
    (text,) = [text for text in log.messages if "damaged header" in text]
    assert "skipped: 1, the first after 6 coded pictures" in text


@pytest.mark.parametrize("header", [0x0D, 0x0E, 0x0F, 0x14])
@pytest.mark.parametrize("container", [".264", ".ts", ".mp4"])
@pytest.mark.parametrize("options", [(), ("-flags", "+ilme+ildct", "-x264opts", "tff=1")])
def test_a_header_that_became_another_valid_type_is_reported(
    options: tuple[str, ...], container: str, header: int, tmp_path: Path
) -> None:
    source, log = with_header(tmp_path, container, header, *options), MessageLog()
    done = run(source, tmp_path / "out.mkv", identity(), log=log)
    assert done.frames == 9
    assert any("are not consecutive: 1 gap" in text for text in log.messages)
    if container == ".mp4":  # A packet is a picture.
        assert "after frame 5 cannot be decoded" in done.why


@pytest.mark.parametrize(
    "options",
    [
        "b-pyramid=strict:open-gop=1:keyint=4:bframes=3",
        "slices=3:ref=4:aud=1",
        "tff=1:slices=2",
        "fake-interlaced=1",
        "intra-refresh=1",
        "nal-hrd=cbr:filler=1:vbv-maxrate=200:vbv-bufsize=200:bitrate=200",
        "cqm=jvt",
    ],
)
@pytest.mark.parametrize("container", [".264", ".ts", ".mp4"])
def test_nothing_is_reported_of_a_whole_stream(
    options: str, container: str, tmp_path: Path
) -> None:
    x264 = ("-c:v", "libx264", "-x264opts", options)
    source = make(tmp_path / f"in{container}", *PICTURES, *x264)
    text = messages(source, tmp_path / "out.mkv")
    assert not any(word in text for word in ("NAL", "coded picture", "Coded picture")), text


def test_fields_without_a_frame_are_reported(tmp_path: Path) -> None:
    """Coded as two fields a frame: both fields of a frame are gone, or the reference of all."""
    data = bytearray(field_file("paff.264").read_bytes())
    places = places_of_pictures(bytes(data))
    assert len(places) == 16
    assert not messages(field_file("paff.264"), tmp_path / "whole.mkv").count("oded picture")
    for place in places[6:8]:
        data[place] = 0x0E
    source = tmp_path / "gap.264"
    source.write_bytes(data)
    assert "gap.264 are not consecutive: 1 gap. " in messages(source, tmp_path / "gap.mkv")


def test_interlaced_pictures_without_a_frame_are_reported(tmp_path: Path) -> None:
    options = ("-flags", "+ilme+ildct", "-x264opts", "tff=1", "-g", "5")
    stream = make(tmp_path / "in.264", *PICTURES, *X264, *options)
    data = bytearray(stream.read_bytes())
    data[places_of_pictures(bytes(data))[5]] = 0x0E
    stream.write_bytes(data)
    text = messages(stream, tmp_path / "out.mkv")
    missing = 9 - len(shown(tmp_path / "out.mkv"))
    assert missing > 2
    assert f"in.264 that gave no frame: {missing}." in text


def test_pictures_without_a_frame_are_reported(tmp_path: Path) -> None:
    """The key frame of the second half is gone, and all that refers to it with it."""
    stream = make(tmp_path / "in.264", *PICTURES, *X264, "-g", "5")
    assert not messages(stream, tmp_path / "whole.mkv")
    data = bytearray(stream.read_bytes())
    data[places_of_pictures(bytes(data))[5]] = 6
    stream.write_bytes(data)
    text = messages(stream, tmp_path / "out.mkv")
    missing = 9 - len(shown(tmp_path / "out.mkv"))
    assert missing > 2
    assert f"in.264 that gave no frame: {missing}." in text


def test_ranges_of_damaged_frames() -> None:
    assert ranges([0]) == "0"
    assert ranges([0, 5, 6, 7, 9]) == "0, 5 to 7, 9"
    assert ranges(list(range(0, 60, 2))).endswith("38 and 10 more ranges")


@pytest.mark.parametrize(
    ("name", "options", "losses"),
    [
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"), ("transparency",)),
        ("vp8.webm", ("-c:v", "libvpx", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p"),
         ("transparency",)),
        ("prores.mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
         ("transparency",)),
        ("deep.mkv", ("-c:v", "ffv1", "-pix_fmt", "yuva444p16le"),
         ("16 bits per value are reduced to 10", "transparency")),
        ("png.mov", ("-c:v", "png", "-pix_fmt", "rgba"), ("RGB", "transparency")),
    ],
)  # fmt: skip
def test_every_loss_of_a_pixel_format_is_reported(
    name: str, options: tuple[str, ...], losses: tuple[str, ...], tmp_path: Path
) -> None:
    source = make(tmp_path / name, *PICTURES, "-vf", "format=yuva444p", *options)
    text = messages(source, tmp_path / "out.mp4")
    assert all(loss in text for loss in losses), text


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.ts", "in.hevc"])
def test_hdr10_metadata_is_kept_in_h264_and_hevc_and_reported_with_ffv1(
    name: str, tmp_path: Path
) -> None:
    params = "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    options = (f"{params}:master-display={MASTERING}:max-cll=1000,400", "-pix_fmt", "yuv420p10le")
    source = make(tmp_path / name, *PICTURES, "-c:v", "libx265", "-x265-params", *options)
    before = hdr.side_data(next(decode_frames(source)))
    for codec in ("h264", "hevc"):
        out = tmp_path / f"{codec}.mp4"
        assert "are kept in the" in messages(source, out, codec)
        after = hdr.side_data(next(decode_frames(out)))
        for kind in (hdr.MASTERING, hdr.LIGHT_LEVEL):
            assert bytes(before[kind]) == bytes(after[kind])
    assert "light level are lost" in messages(source, tmp_path / "out.mkv", "ffv1")


def test_incomplete_hdr10_metadata_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Matroska may store a part of them; ffmpeg writes all or none."""
    monkeypatch.setattr(hdr, "_mastering", lambda data: [])
    text = messages(field_file("hdr10.mp4"), tmp_path / "out.mp4")
    assert "the input has only a part of it" in text


def test_tags_chapters_and_streams_that_a_container_lacks_are_all_reported(tmp_path: Path) -> None:
    (tmp_path / "tags.txt").write_text(TAGS)
    inputs = (*PICTURES, *TONE, "-i", tmp_path / "tags.txt")
    maps = ("-map", "0", "-map", "1", "-map", "0", "-map_metadata", "2", "-map_chapters", "2")
    source = make(tmp_path / "in.mkv", *inputs, *maps, *X264, "-c:a", "aac")
    second = "stream 2 (video, h264). Only the first video of a file is restored."
    for name, lost in {
        "out.mkv": (),
        "out.mp4": ("INVENTED of the file",),
        "out.ts": ("title", "ARTIST", "2 chapters"),
        "out.264": ("title", "ARTIST", "2 chapters", "stream 1 (audio, aac)"),
    }.items():
        text = messages(source, tmp_path / name)
        assert all(part in text for part in lost), text
        if name != "out.264":
            assert second in text
        assert ("Lost" in text) == bool(lost)


@pytest.mark.parametrize(
    ("out", "expected"),
    [(".mp4", "stream 1, which has no content"), (".mov", "stream 1, which has no"), (".mkv", "")],
)
def test_streams_without_content_are_reported(out: str, expected: str, tmp_path: Path) -> None:
    """As recorders write them if they stop before the first sound."""
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-metadata:s:a:1", "language=deu")
    whole = make(tmp_path / "whole.mkv", *PICTURES, *TONE, *TONE, *maps, *X264, "-c:a", "aac")
    source = tmp_path / "in.mkv"
    with av.open(str(whole)) as read, av.open(str(source), "w") as written:
        copies = [written.add_stream_from_template(stream) for stream in read.streams]
        copies[2].metadata["language"] = "deu"
        for packet in read.demux():
            if packet.dts is not None and packet.stream.index != 1:
                packet.stream = copies[packet.stream.index]
                written.mux(packet)
    text = messages(source, tmp_path / f"out{out}")
    assert expected in text
    assert len(shown(tmp_path / f"out{out}")) == 10
    with av.open(str(tmp_path / f"out{out}")) as output:
        assert len(output.streams.audio) == (2 if out == ".mkv" else 1)


def test_chapters_of_an_mp4_are_no_further_stream(tmp_path: Path) -> None:
    (tmp_path / "tags.txt").write_text(TAGS)
    inputs = (*PICTURES, "-i", tmp_path / "tags.txt", "-map_metadata", "1", "-map_chapters", "1")
    source = make(tmp_path / "in.mp4", *inputs, *X264)
    assert messages(source, tmp_path / "out.mp4") == ""
    assert messages(source, tmp_path / "out.mkv") == ""


def test_flags_that_choose_a_stream_are_kept_or_reported(tmp_path: Path) -> None:
    maps = ("-map", "0", "-map", "1", "-map", "1", "-c:a", "aac")
    flags = ("-disposition:a:0", "0", "-disposition:a:1", "default+hearing_impaired")
    source = make(tmp_path / "in.mkv", *PICTURES, *TONE, *maps, *X264, *flags)
    assert messages(source, tmp_path / "out.mkv") == ""
    assert "flag default" in messages(source, tmp_path / "out.ts")


def covers_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if is_cover(packet.stream)]
        return [bytes(packet) for packet in packets if packet.size]


@pytest.mark.parametrize("picture", [".png", ".jpg"])
@pytest.mark.parametrize("source", ["in.mp4", "in.mkv", "cover_first.mp4"])
def test_cover_art_is_copied_or_reported(source: str, picture: str, tmp_path: Path) -> None:
    pixel = ("-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1")
    cover = make(tmp_path / f"cover{picture}", *pixel)
    plain = make(tmp_path / "plain.mp4", *PICTURES, *TONE, *X264, "-c:a", "aac")
    if source == "in.mkv":
        media_type = f"mimetype=image/{'png' if picture == '.png' else 'jpeg'}"
        options: tuple[str | Path, ...] = ("-attach", cover, "-metadata:s:t", media_type)
        video = make(tmp_path / source, "-i", plain, "-c", "copy", *options)
    else:
        order = ("1", "0") if source == "cover_first.mp4" else ("0", "1")
        flag = (f"-disposition:v:{order.index('1')}", "attached_pic")
        options = ("-map", order[0], "-map", order[1], "-c", "copy", *flag)
        video = make(tmp_path / source, "-i", plain, "-i", cover, *options)
    assert covers_of(video) == [cover.read_bytes()]
    for name in ("out.mp4", "out.mkv"):
        text = messages(video, tmp_path / name)
        assert covers_of(tmp_path / name) == [cover.read_bytes()], text
        assert "over" not in text
        assert len(shown(tmp_path / name)) == 10
    for name in ("out.mov", "out.ts", "out.264"):
        assert "(cover art, " in messages(video, tmp_path / name)
        assert covers_of(tmp_path / name) == []


def test_a_file_with_cover_art_alone_is_no_video(tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", "-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1")
    flag = (
        "-map",
        "0",
        "-map",
        "1",
        "-c:a",
        "aac",
        "-c:v",
        "copy",
        "-disposition:v",
        "attached_pic",
    )
    source = make(tmp_path / "song.mp4", *TONE, "-i", cover, *flag)
    with pytest.raises(JobError, match=r"song\.mp4 contains no video"):
        messages(source, tmp_path / "out.mp4")


@pytest.mark.parametrize("out", ["out.mkv", "out.ts", "out.mp4"])
def test_sound_before_the_start_of_an_edit_list_is_not_played(out: str, tmp_path: Path) -> None:
    whole = make(
        tmp_path / "whole.mp4",
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i", "sine=duration=1"),
        *(*X264, "-g", "300", "-c:a", "aac"),
    )
    source = make(tmp_path / "in.mp4", "-ss", "0.6", "-i", whole, "-c", "copy")
    text = messages(source, tmp_path / out)
    frames = shown(tmp_path / out)
    assert len(frames) == len(shown(source)) < 25
    if out == "out.mp4":
        assert text == ""
    else:
        assert "cut off by the input's edit list" in text
        assert sound_offset(tmp_path / out) <= 0.1
