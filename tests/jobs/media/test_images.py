"""Pictures from image files: valid and broken BMPs, and files that unpack to too much."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.core.errors import JobError
from jobs.media import images
from jobs.media.images import list_images, read_image, stem, to_gray
from tests.support.real import picture_or_none


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "max_image_bytes", lambda: 2**20)
    bomb = tmp_path / "bomb.bmp.gz"
    bomb.write_bytes(gzip.compress(bytes(2**22)))
    with pytest.raises(JobError, match=r"bomb.bmp.gz is refused: it unpacks to more than .* MiB"):
        read_image(bomb)


def test_natural_order(tmp_path: Path) -> None:
    for name in ("frame10.bmp", "frame9.bmp", "Frame1.bmp", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in list_images(tmp_path)] == [
        "Frame1.bmp",
        "frame9.bmp",
        "frame10.bmp",
    ]


@pytest.mark.parametrize(("kind", "least"), [("valid", 30), ("lenient", 1), ("bad", 0)])
def test_every_real_bmp_is_read_or_refused_with_a_sentence(
    kind: str, least: int, media: Path
) -> None:
    pictures = [
        picture_or_none(read_image, path) for path in sorted((media / "bmp" / kind).iterdir())
    ]
    assert len([picture for picture in pictures if picture is not None]) >= least


def test_a_png_of_gigabytes_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    assert bomb.stat().st_size < 200_000
    with pytest.raises(
        JobError,
        match=r"bomb.png is refused: it is 30000×30000, more than the 512 MiB .*--max-image-mb",
    ):
        read_image(bomb)


@pytest.mark.parametrize("extension", [".bmp.gz", ".bmp", ".png", ".tif", ".webp"])
def test_all_lossless_formats_of_originals_give_the_same_picture(
    extension: str, tmp_path: Path
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / f"a{extension}"
    plain = path.with_suffix("") if extension == ".bmp.gz" else path
    options: dict[str, Any] = {"lossless": True} if extension == ".webp" else {}
    Image.fromarray(picture).save(plain, **options)
    if extension == ".bmp.gz":
        path.write_bytes(gzip.compress(plain.read_bytes()))
    assert np.array_equal(read_image(path), picture)
    assert stem(path) == "a"


def test_gray_files_keep_one_channel_if_requested(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 77).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", keep_gray=True).shape == (6, 8, 1)
    assert read_image(tmp_path / "a.png").shape == (6, 8, 3)


@pytest.mark.parametrize(
    ("matrix", "weights"), [("BT.601", (0.299, 0.587, 0.114)), ("BT.709", (0.2126, 0.7152, 0.0722))]
)
def test_gray_is_y_of_the_matrix(matrix: str, weights: tuple[float, float, float]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    exact = picture @ np.array(weights)
    assert np.abs(to_gray(picture, matrix)[:, :, 0] - exact).max() <= 0.51
    gray = np.full((2, 2, 3), 200, np.uint8)
    assert (to_gray(gray, matrix) == 200).all(), "gray is unchanged: the weights add up to one"
