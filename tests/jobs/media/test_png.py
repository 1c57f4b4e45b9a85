"""Other readers decode our PNGs to the picture that was written."""

import io

import numpy as np
import pytest
from PIL import Image

from jobs.media.encodings import decode
from jobs.media.png import PAETH, UP, encode_png
from jobs.media.sample_clip import scene


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 1, 1), (5, 1, 3), (1, 7, 1), (64, 96, 3), (270, 481, 1)]
)
@pytest.mark.parametrize("filter", [UP, PAETH])
def test_pillow_reads_the_written_picture(shape: tuple[int, int, int], filter: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    data = encode_png(picture, filter)
    with Image.open(io.BytesIO(data)) as image:
        image.load()  # Checks the checksums of all chunks.
        assert image.mode == ("RGB" if shape[2] == 3 else "L")
        assert np.array_equal(np.asarray(image).reshape(shape), picture)
    assert np.array_equal(decode(data, "png", shape), picture)


def test_pictures_in_non_contiguous_arrays() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    for part in (picture[5:30, 10:50], picture[::2, ::3], picture[:, ::-1]):
        assert np.array_equal(decode(encode_png(part), "png", part.shape), part)


def test_a_smooth_picture_is_compressed() -> None:
    rows = np.linspace(0, 255, 200).astype(np.uint8)
    smooth = np.broadcast_to(rows[:, None, None], (200, 300, 3)).copy()
    assert len(encode_png(smooth)) < smooth.size / 20


def test_the_filter_of_paeth_makes_a_picture_of_textures_smaller() -> None:
    picture = next(scene(1, 176, 144, 1))[:, :, :1]
    assert len(encode_png(picture, PAETH)) < len(encode_png(picture))
