"""The synthetic sample clip: moving textures and shapes with fine detail, and its H.264 stream.

`python -m jobs.media.sample_clip FOLDER` writes FOLDER/clip.h264 and FOLDER/originals/000000.bmp.gz
and so on.
"""

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jobs.core import limits
from jobs.media.h264 import encode
from jobs.media.images import Picture

FRAMES, WIDTH, HEIGHT, SEED, QP = 96, 320, 192, 1, 37


def make_clip(
    folder: Path,
    frames: int = FRAMES,
    width: int = WIDTH,
    height: int = HEIGHT,
    qp: int = QP,
    seed: int = SEED,
) -> tuple[Path, Path]:
    """Write the originals (.bmp.gz) and their stream.

    Return the path of the stream and the folder of the originals.
    """
    originals = folder / "originals"
    originals.mkdir(parents=True, exist_ok=True)
    pictures = list(scene(frames, width, height, seed))
    for number, picture in enumerate(pictures):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "BMP")
        (originals / f"{number:06d}.bmp.gz").write_bytes(
            gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)
        )
    stream = folder / "clip.h264"
    encode(iter(pictures), stream, {"qp": str(qp)})
    return stream, originals


def scene(frames: int, width: int, height: int, seed: int) -> Iterator[Picture]:
    """RGB pictures, uint8 (H, W, 3): a panning texture with moving discs, bars and fine text."""
    random = np.random.default_rng(seed)
    texture = _texture(random, width * 2, height * 2)
    shapes = random.uniform(size=(10, 8))
    for number in range(frames):
        angle = 2 * np.pi * number / frames
        left, top = (
            int(width * (0.5 + 0.45 * np.sin(angle))),
            int(height * (0.5 + 0.45 * np.sin(2 * angle))),
        )
        image = Image.fromarray(texture[top : top + height, left : left + width])
        _draw_shapes(ImageDraw.Draw(image), shapes, number, width, height)
        yield np.asarray(image)


def _texture(random: np.random.Generator, width: int, height: int) -> Picture:
    """A coloured sum of waves, from coarse to fine in random directions, with a little grain."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    value: NDArray[np.float64] = np.zeros((height, width, 3))
    for octave in range(18):
        frequency = 0.02 * 1.25**octave
        direction, phase = random.uniform(0, 2 * np.pi, 2)
        colour = 0.6 + 0.4 * random.uniform(-1, 1, 3)
        bend = 3 * np.sin(0.013 * x + 0.017 * y + phase)
        wave = np.sin(frequency * (x * np.cos(direction) + y * np.sin(direction)) + phase + bend)
        value += wave[..., None] * colour * 22 / 1.12**octave
    value += random.normal(0, 2, (height, width, 1))
    return np.clip(value + 128, 0, 255).astype(np.uint8)


def _draw_shapes(
    draw: ImageDraw.ImageDraw, shapes: NDArray[np.float64], number: int, width: int, height: int
) -> None:
    for index, (x, y, dx, dy, size, red, green, blue) in enumerate(shapes):
        centre_x = (x * width + (dx - 0.5) * 4 * number) % width
        centre_y = (y * height + (dy - 0.5) * 4 * number) % height
        reach = 6 + size * 20
        box = (centre_x - reach, centre_y - reach, centre_x + reach, centre_y + reach)
        colour = (int(255 * red), int(255 * green), int(255 * blue))
        if index % 3 == 0:
            draw.ellipse(box, fill=colour, outline=(0, 0, 0))
        elif index % 3 == 1:
            for line in range(int(box[0]), int(box[2]), 4):
                draw.line((line, box[1], line + reach / 2, box[3]), fill=colour)
        else:
            draw.text((centre_x, centre_y), f"Clearframe {index}{number:03d}", fill=colour)


def main(folder: str) -> None:
    limits.limit_memory(computes=False)
    print(*make_clip(Path(folder)), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
