"""Material for starters: coded patches of photographs and clips, as shards of numpy arrays.

A photograph becomes a shot by pans, zooms, turns, noise and a cut; consecutive frames of a clip are
scaled down, and turned by right angles. Each shot is coded at one random rate. A shard holds
`input` and `target` (N, SIDE, SIDE), Y in limited range as uint8; `qp` (N, SIDE, SIDE), QP as
uint8, 0 where it is unknown; `error` (N,), the mean squared error of the frame that a patch is
from, in grey levels.
"""

import io
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from jobs.media.qp_maps import PLANE_SCALE, coding_of, coding_of_image, plane_of, prepare_decoder
from jobs.media.video import decode_frames, to_picture
from jobs.specs.sources import RawVideo

SIDE = 64
"""Rows and columns of a patch in pixels."""
PER_FRAME = 10
"""Patches of a frame."""
FRAMES = 8
"""Frames of a shot."""
SIZES = ((176, 144), (320, 192), (352, 288), (480, 272))
"""(width, height) of shots."""
MARGIN = 1.4
"""Size of the part of a photograph that a shot moves in, as a multiple of the shot's size."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A clip, and the range of factors that its shots are scaled down by.

    Scaling by about two removes the damage of a clip's own coding.
    """

    file: str
    least: float = 1
    most: float = 1
    raw: RawVideo | None = None


@dataclass(frozen=True)
class Coder:
    """A codec with the options of one rate. The QP is kept if `qp`."""

    name: str
    options: dict[str, str]
    qp: bool = False


def coders(chance: random.Random) -> Coder:
    """A random coder and rate."""
    rate, kind, qp = chance.randint(18, 45), chance.random(), chance.random() < 0.75
    if kind < 0.66:
        options = {
            "preset": chance.choice(("veryfast", "medium", "medium", "slow")),
            "bf": chance.choice(("0", "2", "3")),
            "threads": "1",
        }
        control = "qp" if chance.random() < 0.7 else "crf"
        return Coder("libx264", {**options, control: str(rate)}, qp)
    if kind < 0.76:
        scale = str(chance.randint(2, 20))
        codec = chance.choice(("mpeg2video", "mpeg4"))
        return Coder(codec, {"qmin": scale, "qmax": scale}, qp)
    if kind < 0.82:
        options = {"preset": "veryfast", "x265-params": "log-level=none:pools=1"}
        return Coder("libx265", {**options, "crf": str(rate)})
    if kind < 0.88:
        return Coder("libvpx-vp9", {"crf": str(rate + 10), "b": "0", "cpu-used": "6"}, qp)
    if kind < 0.89:
        return Coder("libsvtav1", {"crf": str(rate + 10), "preset": "10"})
    if kind < 0.96:
        codec = chance.choice(("JPEG", "JPEG", "WEBP"))
        return Coder(codec, {"quality": str(chance.randint(5, 92))}, qp)
    return Coder("", {})


def photo_shot(picture: Image.Image, chance: random.Random) -> list[Bytes]:
    """RGB frames that move over a part of a photograph."""
    width, height = chance.choice(SIZES)
    wide, high = round(width * MARGIN), round(height * MARGIN)
    # Pixels of a photograph are interpolated and compressed: two or more make one.
    most = min(picture.width / wide, picture.height / high)
    shrink = chance.uniform(min(2.0, most), most)
    left, top = (
        chance.uniform(0, side - shrink * part)
        for side, part in ((picture.width, wide), (picture.height, high))
    )
    box = (left, top, left + shrink * wide, top + shrink * high)
    scene = picture.resize((wide, high), Image.Resampling.LANCZOS, box)
    noise = chance.choice((0.0, 0.0, 0.7, 1.5, 3.0))
    generator = np.random.default_rng(chance.getrandbits(32))
    return [
        _noisy(np.asarray(moved), noise, generator)
        for moved in _moves(scene, (width, height), chance)
    ]


def _moves(
    scene: Image.Image, size: tuple[int, int], chance: random.Random
) -> Iterator[Image.Image]:
    """Frames of a size: a pan, zoom and turn at even speed; some have a cut to the mirror image."""
    width, height = size
    still = chance.random() < 0.15
    pan = (0.0, 0.0) if still else (chance.gauss(0, 1.5), chance.gauss(0, 1.0))
    turn, zoom = (0.0, 0.0) if still else (chance.gauss(0, 0.003), chance.gauss(0, 0.003))
    cut = chance.choice((FRAMES // 2, FRAMES, FRAMES, FRAMES))
    for number in range(FRAMES):
        source = scene if number < cut else scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        place = number - FRAMES / 2
        scale, angle = 1 + zoom * place, turn * place
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        x, y = scene.width / 2 + pan[0] * place, scene.height / 2 + pan[1] * place
        matrix = (
            cosine,
            -sine,
            x - cosine * width / 2 + sine * height / 2,
            sine,
            cosine,
            y - sine * width / 2 - cosine * height / 2,
        )
        yield source.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _noisy(frame: Bytes, strength: float, generator: np.random.Generator) -> Bytes:
    if not strength:
        return frame
    noise = generator.normal(0, strength, frame.shape[:2])[..., None]
    result: Bytes = np.clip(frame + noise, 0, 255).round().astype(np.uint8)
    return result


def clip_frames(media: Path, clip: Clip) -> list[Bytes]:
    """All frames of a clip as RGB."""
    return [to_picture(frame) for frame in decode_frames(media / clip.file, raw=clip.raw)]


def clip_shot(clip: Clip, frames: Sequence[Bytes], chance: random.Random) -> list[Bytes]:
    """Some consecutive, or every second, of all frames of a clip: scaled down, turned, mirrored."""
    count = min(FRAMES, len(frames))
    step = chance.choice((1, 1, 1, 2)) if len(frames) > 2 * FRAMES else 1
    first = chance.randrange(max(1, len(frames) - step * count + 1))
    chosen = frames[first : first + step * count : step]
    if chance.random() < 0.3:
        chosen = chosen[::-1]
    shrink, turn = chance.uniform(clip.least, clip.most), chance.randrange(8)
    return [_turned(_scaled(frame, shrink), turn) for frame in chosen]


def _scaled(frame: Bytes, shrink: float) -> Bytes:
    if shrink < 1.02:
        return frame
    high, wide = (round(side / shrink) // 2 * 2 for side in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((wide, high), Image.Resampling.LANCZOS))


def _turned(frame: Bytes, turn: int) -> Bytes:
    """One of eight ways to turn and mirror a frame, with even sides."""
    turned = np.rot90(frame, turn % 4)
    if turn > 3:
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned[: turned.shape[0] // 2 * 2, : turned.shape[1] // 2 * 2])


def luma(frame: VideoFrame) -> Bytes:
    """The Y plane of a yuv420p frame."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()


def earlier_coder(chance: random.Random) -> Coder:
    """A random coder and rate of an original that was compressed before."""
    rate, kind = chance.randint(14, 32), chance.random()
    if kind < 0.7:
        preset = chance.choice(("veryfast", "medium", "slow"))
        control = chance.choice(("crf", "crf", "qp"))
        return Coder("libx264", {"preset": preset, "threads": "1", control: str(rate)})
    if kind < 0.85:
        options = {"preset": "veryfast", "x265-params": "log-level=none:pools=1"}
        return Coder("libx265", {**options, "crf": str(rate)})
    scale = str(chance.randint(2, 8))
    return Coder("mpeg4", {"qmin": scale, "qmax": scale})


def compressed(frames: Sequence[Bytes], coder: Coder) -> list[Bytes]:
    """RGB frames as they are after coding and decoding."""
    with av.open(_packed(_planar(frames), coder)) as container:
        return [to_picture(frame) for frame in container.decode(video=0)]


def lumas(frames: Sequence[Bytes]) -> list[Bytes]:
    """The Y planes of RGB frames as yuv420p."""
    return [luma(frame) for frame in _planar(frames)]


def coded(frames: Sequence[Bytes], coder: Coder) -> Iterator[tuple[Bytes, Bytes, Bytes]]:
    """(input, target, QP) of each frame."""
    originals = _planar(frames)
    targets = [luma(frame) for frame in originals]
    if coder.name in ("JPEG", "WEBP"):
        inputs: Iterable[tuple[Bytes, Bytes]] = (_still(target, coder) for target in targets)
    elif coder.name:
        inputs = decoded(_packed(originals, coder))
    else:
        inputs = ((target, np.zeros_like(target)) for target in targets)
    for target, (input, qp) in zip(targets, inputs, strict=True):
        yield input, target, qp if coder.qp else np.zeros_like(qp)


def _still(target: Bytes, coder: Coder) -> tuple[Bytes, Bytes]:
    """(decoded Y, QP) of a picture."""
    packed = io.BytesIO()
    Image.fromarray(target).save(packed, coder.name, quality=int(coder.options["quality"]))
    image = Image.open(packed)
    qp = plane_of(coding_of_image(image, *target.shape).qp, *target.shape) // PLANE_SCALE
    return np.asarray(image.convert("L")), qp


def _planar(frames: Sequence[Bytes]) -> list[VideoFrame]:
    return [
        VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
        for frame in frames
    ]


def _packed(frames: Sequence[VideoFrame], coder: Coder) -> io.BytesIO:
    """A Matroska file of yuv420p frames."""
    packed = io.BytesIO()
    with av.open(packed, "w", format="matroska") as container:
        stream: Any = container.add_stream(coder.name, Fraction(25), options=coder.options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        if coder.name.startswith("mpeg"):
            stream.bit_rate = 10**8  # The quantiser's limits decide.
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    packed.seek(0)
    return packed


def decoded(file: Path | io.BytesIO) -> Iterator[tuple[Bytes, Bytes]]:
    """(Y, QP) of each frame of a video; QP 0 if the decoder does not report it."""
    with av.open(str(file) if isinstance(file, Path) else file) as container:
        prepare_decoder(container.streams.video[0], qps=True)
        for frame in container.decode(video=0):
            yield luma(frame), qp_of(frame)


def qp_of(frame: VideoFrame) -> Bytes:
    """The QP at each pixel (H, W); 0 everywhere if the decoder does not report it."""
    return plane_of(coding_of(frame).qp, frame.height, frame.width) // PLANE_SCALE


def patches(frames: Iterable[tuple[Bytes, Bytes, Bytes]], chance: random.Random) -> Iterator[Any]:
    """(input, target, QP, error) of random patches of each frame."""
    for input, target, qp in frames:
        error = np.float32(((input.astype(np.float32) - target) ** 2).mean())
        for _ in range(PER_FRAME):
            top, left = (chance.randrange(side - SIDE + 1) for side in target.shape)
            place = (slice(top, top + SIDE), slice(left, left + SIDE))
            yield input[place], target[place], qp[place], error


def write_shard(
    path: Path, shots: Sequence[Callable[[random.Random], list[Bytes]]], seed: int
) -> None:
    """Code each shot at a random rate, and write its patches."""
    chance = random.Random(seed)
    rows = [
        patch for shot in shots for patch in patches(coded(shot(chance), coders(chance)), chance)
    ]
    columns = zip(("input", "target", "qp", "error"), zip(*rows, strict=True), strict=True)
    np.savez(path, **{name: np.stack(values) for name, values in columns})  # type: ignore[arg-type]
