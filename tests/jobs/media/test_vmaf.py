"""Tests of VMAF, as an ffmpeg with libvmaf measures it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from jobs.media import vmaf
from jobs.media.images import Picture, to_gray

HEIGHT, WIDTH, FRAMES = 66, 97, 4


@pytest.fixture
def frames() -> list[tuple[Picture, Picture, Picture]]:
    """Input, output and target of each frame: the output has half of the input's noise."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    triples = []
    for number in range(FRAMES):
        waves = 128 + 60 * np.sin(rows / 5 + number) + 40 * np.cos(columns / 7)
        target = np.repeat(waves[:, :, None], 3, 2)
        noise = random.normal(0, 16, target.shape)
        noisy, better, clean = (
            (target + strength * noise).clip(0, 255).astype(np.uint8) for strength in (1, 0.5, 0)
        )
        triples.append((noisy, better, clean))
    return triples


def y4m(path: Path, pictures: list[Picture]) -> Path:
    """The pictures as a video in 4:2:0 and limited range."""
    gray = bytes([128]) * (2 * -(-HEIGHT // 2) * -(-WIDTH // 2))
    lumas = [
        (16 + to_gray(picture, "BT.601") * (219 / 255)).round().astype(np.uint8)
        for picture in pictures
    ]
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 C420\n".encode()
    path.write_bytes(head + b"".join(b"FRAME\n" + luma.tobytes() + gray for luma in lumas))
    return path


@pytest.mark.skipif(vmaf.program() is None, reason="no ffmpeg has libvmaf")
def test_the_score_is_that_of_ffmpeg_for_files(
    frames: list[tuple[Picture, Picture, Picture]], tmp_path: Path
) -> None:
    with vmaf.meter(HEIGHT, WIDTH) as meter:
        for triple in frames:
            meter.add(*triple)
        scores = meter.scores()
    assert scores is not None
    ffmpeg = str(vmaf.program())
    inputs, outputs, targets = map(list, zip(*frames, strict=True))
    reference = y4m(tmp_path / "target.y4m", targets)
    for side, pictures in (("input", inputs), ("output", outputs)):
        distorted = y4m(tmp_path / f"{side}.y4m", pictures)
        command = [ffmpeg, "-i", str(distorted), "-i", str(reference), "-lavfi", "libvmaf"]
        text = subprocess.run(
            [*command, "-f", "null", "-"], capture_output=True, text=True, check=True, timeout=120
        ).stderr
        score = float(text.partition("VMAF score: ")[2].split()[0])
        assert dict(scores)[side] == pytest.approx(score, abs=1e-4)
    assert scores["output"] > scores["input"] + 1


def test_without_libvmaf_or_for_tiny_frames_there_is_no_score(
    frames: list[tuple[Picture, Picture, Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with vmaf.meter(16, WIDTH) as meter:
        for pictures in frames:
            meter.add(*(picture[:16] for picture in pictures))
        assert meter.scores() is None
    monkeypatch.setattr(vmaf, "program", lambda: None)
    with vmaf.meter(HEIGHT, WIDTH) as meter:
        meter.add(*frames[0])
        assert meter.scores() is None


def test_an_ffmpeg_that_fails_gives_no_score(
    frames: list[tuple[Picture, Picture, Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vmaf, "program", lambda: "false")
    with vmaf.meter(HEIGHT, WIDTH) as meter:
        for pictures in frames:
            meter.add(*pictures)
        assert meter.scores() is None
