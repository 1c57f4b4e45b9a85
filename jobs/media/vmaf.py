"""VMAF of a video before and after restoration, by an ffmpeg that has libvmaf.

VMAF (Li et al., "Toward a practical perceptual video quality metric", 2016) predicts the opinion of
viewers from 0 to 100. FFmpeg's filter needs libvmaf, which neither the wheels of PyAV nor Debian's
ffmpeg have. The binary in the wheel of `imageio-ffmpeg` has it: `pip install 'clearframe[vmaf]'`.
"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np

from jobs.core.types.samples import BeforeAfter
from jobs.media.images import Picture, to_gray

LEAST_SIDE = 32
"""Pixels: libvmaf halves pictures four times, and measures windows of what is left."""
GRAY = 128
"""Cb and Cr of gray: VMAF is of Y alone."""


@cache
def program() -> str | None:
    """The path of an ffmpeg with libvmaf; None if this machine has none."""
    return next(filter(_has_vmaf, _candidates()), None)


def _candidates() -> Iterator[str]:
    if path := shutil.which("ffmpeg"):
        yield path
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        with suppress(RuntimeError):  # A platform for which the wheel has no binary.
            yield imageio_ffmpeg.get_ffmpeg_exe()


def _has_vmaf(path: str) -> bool:
    command = [path, "-hide_banner", "-filters"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " libvmaf " in done.stdout


class Meter:
    """Measures frames as they come. Without an ffmpeg that has libvmaf, it has no scores."""

    def __init__(self, process: "subprocess.Popen[bytes] | None", folder: Path) -> None:
        self._process, self._folder = process, folder

    def add(self, input: Picture, output: Picture, target: Picture) -> None:
        """Add a frame, uint8 (H, W, C) each, of the size of all frames."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            for plane in _planes(input, output, target):
                self._process.stdin.write(plane)
        except BrokenPipeError:  # Its reason is of no use to the reader of a page.
            self._process = None

    def scores(self) -> BeforeAfter | None:
        """The means over the frames; None without an ffmpeg, or if it could not measure."""
        if self._process is None:
            return None
        self._process.communicate()
        if self._process.returncode:
            return None
        return {"input": self._mean("input"), "output": self._mean("output")}

    def _mean(self, side: str) -> float:
        log = json.loads((self._folder / f"{side}.json").read_text())
        return float(log["pooled_metrics"]["vmaf"]["mean"])


@contextmanager
def meter(height: int, width: int) -> Iterator[Meter]:
    """A meter of frames of a size. Its process ends with the block, whatever happens."""
    ffmpeg = program() if min(height, width) >= LEAST_SIDE else None
    with tempfile.TemporaryDirectory() as folder:
        process = _start(ffmpeg, height, width, folder) if ffmpeg else None
        try:
            yield Meter(process, Path(folder))
        finally:
            if process is not None:
                process.kill()
                process.communicate()


def _start(ffmpeg: str, height: int, width: int, folder: str) -> "subprocess.Popen[bytes]":
    """One stream has all three pictures above each other: several pipes could block each other."""
    part = f"crop={width}:{height}:0"
    measure = "libvmaf=log_fmt=json:n_threads=1:log_path"
    graph = (
        f"split=4[a][b][c][d];[a]{part}:0[input];[b]{part}:{height}[output];"
        f"[c]{part}:{2 * height}[x];[d]{part}:{2 * height}[y];"
        f"[input][x]{measure}=input.json,nullsink;[output][y]{measure}=output.json"
    )
    source = ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{width}x{3 * height}", "-i", "-"]
    return subprocess.Popen(
        [ffmpeg, "-v", "error", *source, "-lavfi", graph, "-f", "null", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )


def _planes(*pictures: Picture) -> Iterator[bytes]:
    """Y in limited range, as VMAF's models expect it, of pictures above each other; Cb and Cr."""
    for picture in pictures:
        luma = to_gray(picture, "BT.601")[:, :, 0].astype(np.float32)
        yield (16 + luma * (219 / 255)).round().astype(np.uint8).tobytes()
    yield bytes([GRAY]) * sum(2 * picture.shape[0] * picture.shape[1] for picture in pictures)
