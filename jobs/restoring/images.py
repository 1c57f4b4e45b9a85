"""Restoring an image, or all images of a folder, into files."""

import gzip
import io
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from jobs.core.errors import Aborted, JobError
from jobs.core.report import Report
from jobs.core.suffixes import is_image
from jobs.media.images import Picture, list_images, read_image, stem, to_gray
from jobs.restoring.outputs import check_free
from jobs.restoring.video import Model, Restored
from models import tiles
from models.metrics import to_uint8

WRITTEN: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".bmp": {"format": "BMP"},
    ".bmp.gz": {"format": "BMP"},
    ".tif": {"format": "TIFF"},
    ".tiff": {"format": "TIFF"},
    ".webp": {"format": "WEBP", "lossless": True},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}
"""How an image is written, by its ending."""
LOSSY = (".jpg", ".jpeg")
FOR_ALL = ".png"
"""The ending of the images of a folder."""


def restore_image(
    source: Path, out: Path, model: Model, report: Report, overwrite: bool = False
) -> Restored:
    """One image into a file; into a folder under its own name, as PNG. Raises JobError."""
    if out.is_dir():
        out = out / f"{stem(source)}{FOR_ALL}"
    ending = _ending(out)
    check_free(source, out, overwrite)
    if ending in LOSSY:
        report.message(
            f"{out.name} is compressed anew, with loss. An ending like .png keeps what was restored.",
            "warning",
        )
    began = time.monotonic()
    picture = _restore(source, out, model)
    report.progress(1, 1, "images")
    return Restored(
        1, time.monotonic() - began, picture.shape[1], picture.shape[0], ending[1:], out
    )


def restore_folder(
    source: Path, out: Path, model: Model, report: Report, overwrite: bool = False
) -> Restored:
    """All images of a folder into another one, as PNG. One that cannot be read is left out, and said. Raises JobError."""
    images = list_images(source)
    if out.exists() and not out.is_dir():
        raise JobError(f"{out} is a file, and the input is a folder. Give a folder.")
    alike = Counter(stem(path) for path in images)
    named = {
        path: out / f"{stem(path) if alike[stem(path)] == 1 else path.name}{FOR_ALL}"
        for path in images
    }
    if out.is_dir():
        for path, target in named.items():
            check_free(path, target, overwrite)
    _make(out)
    began, done, why, size = time.monotonic(), 0, "", (0, 0)
    report.begin(0)
    for path, target in named.items():
        try:
            report.check()
            picture = _restore(path, target, model)
            size = (picture.shape[1], picture.shape[0])
            done += 1
        except Aborted:
            why = f"Stopped after {done} images."
            break
        except JobError as error:
            if str(error) == FULL:
                why = FULL
                break
            report.message(f"Left out: {error}", "warning")
            why = why or f"Not all images were restored: {error}"
        report.progress(done, len(images), "images")
    if not done:
        raise JobError(why)
    return Restored(done, time.monotonic() - began, *size, FOR_ALL[1:], out, why)


FULL = "The disk is full. Make room, then restore it again."


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(
            f"The folder {folder} cannot be made: {error.strerror}. Give another one."
        ) from error


def _ending(out: Path) -> str:
    ending = next(
        (
            ending
            for ending in sorted(WRITTEN, key=len, reverse=True)
            if out.name.lower().endswith(ending)
        ),
        "",
    )
    if not ending or not is_image(out.name):
        raise JobError(
            f"{out.name} has no ending of an image. Choose one of {', '.join(WRITTEN)}; or give a folder that is there."
        )
    return ending


def _restore(source: Path, out: Path, model: Model) -> Picture:
    """Raises JobError."""
    picture = read_image(source)
    seen = picture if model.channels == 3 else to_gray(picture, "BT.601")
    image = torch.tensor(seen).permute(2, 0, 1)[None]
    try:
        restored = (
            to_uint8(tiles.restore(model.restorer, image, model.limit)[0]).permute(1, 2, 0).numpy()
        )
    except tiles.TooLarge as error:
        raise JobError(f"{source.name}: {error}") from error
    _write(restored, out, _kept(source))
    return picture


def _kept(source: Path) -> dict[str, Any]:
    """How the picture lies, and its colour profile."""
    if source.suffix.lower() == ".gz":
        return {}
    with Image.open(source) as image:
        kept = {"icc_profile": image.info.get("icc_profile"), "exif": image.info.get("exif")}
    return {key: value for key, value in kept.items() if value}


def _write(picture: Picture, out: Path, kept: dict[str, Any]) -> None:
    ending, written = _ending(out), io.BytesIO()
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    image.save(written, **WRITTEN[ending], **({} if ending.startswith(".bmp") else kept))
    draft = out.with_name(f".{out.name}.part")
    try:
        draft.write_bytes(
            gzip.compress(written.getvalue(), 6) if ending.endswith(".gz") else written.getvalue()
        )
        os.replace(draft, out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise JobError(
            FULL if error.errno == 28 else f"{out} cannot be written: {error.strerror}."
        ) from error
