"""The QPs that networks get while a video is restored, shown by a network that returns them."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core.events import NoLog
from jobs.core.report import Report
from jobs.media.images import Picture, read_image
from jobs.media.qp_maps import QpMap, plane_of
from jobs.media.video import decode_frames, frames
from jobs.restoring.images import restore_folder, restore_image
from jobs.restoring.network import Model
from jobs.restoring.planes import planes_of
from jobs.restoring.video import restore_video
from models.restorer import Channels, Restorer, channels_seen
from tests.jobs.restoring.test_video import MessageLog
from tests.support.qp_network import network

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
FRAMES = 12


REPORT = Report(NoLog())


def encode(path: Path, *options: str, size: str = "150x98") -> Path:
    """Encode a test pattern with the ffmpeg command."""
    source = f"testsrc2=size={size}:rate=25,noise=c0s=20:c0f=t"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", str(FRAMES)]
    subprocess.run([*command, "-pix_fmt", "yuv420p", *options, str(path)], check=True, timeout=120)
    return path


def luma(path: Path) -> list[Picture]:
    return [planes_of(frame)[0] for frame in decode_frames(path)]


def shown(path: Path, channels: int, see: Channels = "y", limit: int = 2**30) -> list[Picture]:
    """The luma of the restored frames, in limited range."""
    out = path.with_name("restored.mkv")
    restorer = Restorer(network(channels_seen(see, channels)), see).eval()
    restore_video(path, out, Model(restorer, channels, limit), REPORT, "ffv1")
    return luma(out)


def test_a_jpeg_is_restored_with_the_qp_of_its_tables(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(60, 180, (40, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=50)
    restorer = Restorer(network(3), "rgb").eval()
    restore_image(tmp_path / "a.jpg", tmp_path / "out.png", Model(restorer, 3, 2**30), REPORT)
    assert (read_image(tmp_path / "out.png") == 5 * 28).all()


def maps_of(path: Path) -> list[QpMap]:
    maps = [frame.coding.qp for frame in frames(path, qps=True)]
    return [map for map in maps if map is not None]


def differences(outputs: list[Picture], path: Path) -> list[float]:
    """The largest difference of each output from what the maps of a video look like as luma.

    Leaves out luma that is not in 16 to 235, which stays that much outside.
    """
    inputs, maps = luma(path), maps_of(path)
    assert len(outputs) == len(inputs) == len(maps) == FRAMES
    assert any(len(np.unique(map)) > 3 for map in maps)
    result = []
    for output, input, map in zip(outputs, inputs, maps, strict=True):
        expected = 16 + plane_of(map, *input.shape).astype(float) * 219 / 255
        inside = (input >= 16) & (input <= 235)
        assert inside.mean() > 0.5
        result.append(float(np.abs(output - expected)[inside].max()))
    return result


@needs_ffmpeg
@pytest.mark.parametrize("limit", [2**30, 400_000], ids=["whole", "in tiles"])
def test_the_frames_of_h264_come_with_their_qps(limit: int, tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", "-c:v", "libx264", "-crf", "30")
    assert max(differences(shown(path, 1, limit=limit), path)) <= 0.5


@needs_ffmpeg
def test_rotated_videos_have_their_qps_in_the_frame_as_it_is_coded(tmp_path: Path) -> None:
    upright = encode(tmp_path / "clip.mp4", "-c:v", "libx264", "-crf", "30")
    rotated = tmp_path / "rotated.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(upright), "-c", "copy"]
    subprocess.run([*command, "-metadata:s:v", "rotate=90", str(rotated)], check=True, timeout=120)
    assert max(differences(shown(rotated, 1), upright)) <= 0.5


@needs_ffmpeg
@pytest.mark.parametrize("see", ["y", "rgb"])
def test_networks_of_rgb_get_the_qps_too(see: Channels, tmp_path: Path) -> None:
    """The luma is only close, since RGB is rounded. The pattern is gray: colours could clip."""
    path = encode(tmp_path / "clip.mp4", "-c:v", "libx264", "-crf", "30", "-vf", "hue=s=0")
    assert max(differences(shown(path, 3, see), path)) <= 2


@needs_ffmpeg
def test_the_last_frame_of_mpeg2_has_the_qps_of_the_frame_before(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", "-c:v", "mpeg2video", "-b:v", "300k", size="160x96")
    maps, outputs = maps_of(path), shown(path, 1)
    assert len(outputs) == len(maps) + 1 == FRAMES
    expected = [16 + plane_of(map, 96, 160).astype(float) * 219 / 255 for map in maps]
    for output, input, plane in zip(outputs, luma(path), [*expected, expected[-1]], strict=True):
        inside = (input >= 16) & (input <= 235)
        assert np.abs(output - plane)[inside].max() <= 0.5


@needs_ffmpeg
def test_an_assumed_qp_stands_for_unknown_ones_only(tmp_path: Path) -> None:
    log = MessageLog()
    restorer = Restorer(network(1), "y").eval()
    for options, qp, expected in (
        (("-c:v", "ffv1"), None, 0),
        (("-c:v", "ffv1"), 27, 27),
        (("-c:v", "mpeg4", "-qmin", "6", "-qmax", "6", "-b:v", "100M"), 40, 26),
    ):
        path = encode(tmp_path / "clip.mkv", *options, size="160x96")
        out, model = tmp_path / "out.mkv", Model(restorer, 1, 2**30, qp)
        restore_video(path, out, model, Report(log), "ffv1", overwrite=True)
        for output, input in zip(luma(out), luma(path), strict=True):
            inside = (input >= 16) & (input <= 235)
            assert np.abs(output - (16 + 5 * expected * 219 / 255))[inside].max() <= 0.5
    assert len([text for text in log.messages if "The QP of clip.mkv is unknown" in text]) == 1


def test_images_without_a_known_qp_are_said_once(tmp_path: Path) -> None:
    folder, log = tmp_path / "in", MessageLog()
    folder.mkdir()
    for name in ("a.png", "b.png", "c.jpg"):
        Image.new("RGB", (32, 32)).save(folder / name)
    model = Model(Restorer(network(3), "rgb").eval(), 3, 2**30)
    restore_folder(folder, tmp_path / "out", model, Report(log))
    assert ["The QP of 2 images, such as a.png, is unknown" in text for text in log.messages] == [
        True
    ]
    assumed = replace(model, qp=27)
    restore_folder(folder, tmp_path / "assumed", assumed, Report(log))
    assert len(log.messages) == 1
    assert (read_image(tmp_path / "assumed" / "a.png") == 5 * 27).all()


@needs_ffmpeg
def test_the_qps_of_lossless_video_are_unknown(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", "-c:v", "ffv1", size="160x96")
    outputs = shown(path, 1)
    assert len(outputs) == FRAMES
    # Luma outside of 16 to 235 stays that much outside.
    assert all((np.abs(output.astype(int) - 16) <= 20).all() for output in outputs)
