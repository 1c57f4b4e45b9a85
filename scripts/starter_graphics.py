"""Drawn shots for starters: bars, cells, pages of text, shapes, waves and windows.

Networks that had seen few drawings took up to 5 dB from test charts and screen content.
"""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jobs.media.images import Picture

Colour = tuple[int, int, int]
Pick = Callable[[], Colour]
"""A function that chooses a colour of the palette of a drawing."""

WORDS = "The quick brown fox jumps over File Edit View 0123 45.6 12:30"
MOVES = ((0, 0), (0, 0), (1, 0), (0, 2), (3, 1), (0, 4))
"""Steps in pixels from frame to frame."""


def graphic_shot(size: tuple[int, int], frames: int, chance: random.Random) -> list[Picture]:
    """RGB frames, uint8 (H, W, 3), of a drawing that moves as a whole, in part or not at all."""
    width, height = size
    step_x, step_y = chance.choice(MOVES)
    pick = _palette(chance)
    image = Image.new("RGB", (width + step_x * frames, height + step_y * frames), pick())
    chance.choice((bars, cells, text, shapes, waves, windows))(image, pick, chance)
    if chance.random() < 0.3:
        caption(image, pick, chance)
    drawing = np.asarray(image)
    first = drawing[:height, :width]
    still = height // 3 if chance.random() < 0.4 else 0  # Rows at the top and at the bottom.
    shot = []
    for number in range(frames):
        left, top = step_x * number, step_y * number
        frame = first.copy()
        moved = drawing[top : top + height, left : left + width]
        frame[still : height - still] = moved[still : height - still]
        shot.append(frame)
    return shot


def _palette(chance: random.Random) -> Pick:
    """Colours of a kind: strong or any ones, greys, or black and white."""

    def value() -> int:
        return chance.choice((0, 255, chance.randrange(256)))

    def grey() -> Colour:
        level = chance.randrange(256)
        return level, level, level

    palettes: tuple[Pick, ...] = (
        lambda: (value(), value(), value()),
        grey,
        lambda: chance.choice(((0, 0, 0), (255, 255, 255))),
    )
    return chance.choice(palettes)


def bars(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    draw, (width, height) = ImageDraw.Draw(image), image.size
    count, upright = chance.randint(3, 12), chance.random() < 0.7
    for number in range(count):
        first, end = number / count, (number + 1) / count
        box = (first * width, 0, end * width, height)
        draw.rectangle(box if upright else (0, first * height, width, end * height), pick())
    if chance.random() < 0.6:
        draw.rectangle((0, 0.7 * height, width, height), pick())


def cells(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    """Squares of two colours at random, in places on a ground of one colour."""
    side, share = chance.choice((1, 2, 3, 4, 6, 8)), chance.choice((0.05, 0.2, 0.5))
    size = (image.width // side + 1, image.height // side + 1)
    generator = np.random.default_rng(chance.getrandbits(32))
    mask = Image.fromarray((generator.random(size[::-1]) < share).astype(np.uint8) * 255)
    mask = mask.resize((size[0] * side, size[1] * side), Image.Resampling.NEAREST)
    left = chance.choice((0, image.width // 2))
    image.paste(pick(), (left, 0), mask)


def text(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    size, colour = chance.randint(8, 28), pick()
    _lines(image, (0, 0, *image.size), size, colour, chance)


def _lines(
    image: Image.Image,
    box: tuple[int, int, int, int],
    size: int,
    colour: Colour,
    chance: random.Random,
) -> None:
    """Lines of words of a size in a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for y in range(top, bottom - size, size * 4 // 3):
        line = " ".join(chance.choices(WORDS.split(), k=max(1, (right - left) // (3 * size))))
        draw.text((left + chance.choice((4, 4, 4, 20)), y), line, colour, font)


def caption(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    """A few large figures, as a clock or a counter."""
    place = chance.randrange(image.width // 2), chance.randrange(image.height // 2)
    ImageDraw.Draw(image).text(
        place,
        "".join(chance.choices("0123456789:.AB", k=6)),
        pick(),
        ImageFont.load_default(chance.randint(16, 60)),
        stroke_width=chance.choice((0, 1, 2)),
        stroke_fill=pick(),
    )


def shapes(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    """Rectangles and ellipses, filled or not, and lines."""
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randint(5, 60)):
        x, y = chance.randrange(image.width), chance.randrange(image.height)
        box = (x, y, x + chance.randint(2, 60), y + chance.randint(2, 60))
        shape = chance.choice((draw.rectangle, draw.ellipse))
        shape(box, pick() if chance.random() < 0.7 else None, pick())
        if chance.random() < 0.4:
            end = chance.randrange(image.width), chance.randrange(image.height)
            draw.line(((x, y), end), pick(), chance.randint(1, 4))


def waves(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    """Straight or round waves between two colours, smooth or with hard edges."""
    y, x = np.mgrid[: image.height, : image.width].astype(np.float32)
    pitch = chance.uniform(0.002, 0.5)
    if chance.random() < 0.5:
        centre_x, centre_y = chance.randrange(image.width), chance.randrange(image.height)
        phase = ((x - centre_x) ** 2 + (y - centre_y) ** 2) * pitch / 50
    else:
        phase = x * pitch + y * chance.uniform(-0.5, 0.5)
    wave = np.sin(phase)
    if chance.random() < 0.4:
        wave = np.sign(wave)
    mask = Image.fromarray(((wave + 1) * 127.5).astype(np.uint8))
    image.paste(pick(), (0, 0), mask)


def windows(image: Image.Image, pick: Pick, chance: random.Random) -> None:
    """Windows of a desktop: a frame, a title bar and lines of text."""
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randint(2, 5)):
        left, top = chance.randrange(image.width // 2), chance.randrange(image.height // 2)
        right, bottom = left + chance.randint(80, 300), top + chance.randint(60, 250)
        draw.rectangle((left, top, right, bottom), pick(), pick())
        draw.rectangle((left, top, right, top + 16), pick())
        box = (left, top + 20, right, bottom)
        _lines(image, box, chance.randint(9, 15), pick(), chance)
