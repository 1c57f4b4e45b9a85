"""Restoration of an image, or of all images of a folder, into files."""

import gzip
import io
import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from jobs.core.errors import Aborted, JobError, disk_full, is_disk_full
from jobs.core.report import Report
from jobs.core.suffixes import is_image
from jobs.media.images import (
    Header,
    Picture,
    Reading,
    conversion_notes,
    list_images,
    read,
    stem,
    to_gray,
)
from jobs.media.qp_maps import with_plane
from jobs.restoring.network import Model, no_qp
from jobs.restoring.output_file import check_free
from jobs.restoring.video import Restored
from models import tiles
from models.metrics import to_uint8

SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".bmp": {"format": "BMP"},
    ".bmp.gz": {"format": "BMP"},
    ".tif": {"format": "TIFF"},
    ".tiff": {"format": "TIFF"},
    ".webp": {"format": "WEBP", "lossless": True},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
}
"""Pillow's options for saving an image, by its file extension."""
LOSSY = (".jpg", ".jpeg")
FOLDER_EXTENSION = ".png"
"""The extension of images that are written into a folder."""
DISK_FULL = disk_full("restore again")


def restore_image(
    source: Path, out: Path, model: Model, report: Report, overwrite: bool = False
) -> Restored:
    """Restore an image into a file. In a folder, the file is named as the source, as PNG.

    Raises JobError.
    """
    if out.is_dir():
        out = out / f"{stem(source)}{FOLDER_EXTENSION}"
    extension = _extension(out)
    check_free(source, out, overwrite)
    if extension in LOSSY:
        report.message(
            f"{out.name} is saved in a lossy format. Use an extension such as .png to keep the "
            "restored image exactly.",
            "warning",
        )
    began = time.monotonic()
    reading = _restore(source, out, model)
    header = reading.header
    _report_conversions([header], report)
    if model.lacks_qp(reading.coding):
        report.message(no_qp(source.name), "warning")
    report.progress(1, 1, "images")
    return Restored(1, time.monotonic() - began, header.width, header.height, extension[1:], out)


def restore_folder(
    source: Path, out: Path, model: Model, report: Report, overwrite: bool = False
) -> Restored:
    """Restore all images of a folder into another folder, as PNG.

    Skips unreadable images with a warning. Raises JobError.
    """
    images = list_images(source)
    if out.exists() and not out.is_dir():
        raise JobError(f"{out} is a file, but the input is a folder. Give a folder as the output.")
    stems = Counter(stem(path) for path in images)
    targets = {
        path: out / f"{stem(path) if stems[stem(path)] == 1 else path.name}{FOLDER_EXTENSION}"
        for path in images
    }
    if out.is_dir():
        for path, target in targets.items():
            check_free(path, target, overwrite)
    _create(out)
    began, why, headers, without_qp = time.monotonic(), "", list[Header](), list[str]()
    report.begin(0)
    for path, target in targets.items():
        try:
            report.check()
            reading = _restore(path, target, model)
            headers.append(reading.header)
            without_qp += [path.name] * model.lacks_qp(reading.coding)
        except Aborted:
            why = f"Stopped after {len(headers)} images."
            break
        except JobError as error:
            if str(error) == DISK_FULL:
                why = DISK_FULL
                break
            report.message(f"Skipped: {error}", "warning")
            why = why or f"Not all images were restored: {error}"
        report.progress(len(headers), len(images), "images")
    if not headers:
        raise JobError(why)
    _report_conversions(headers, report)
    if without_qp:
        report.message(no_qp(f"{len(without_qp):,} images, such as {without_qp[0]},"), "warning")
    size, seconds = (headers[-1].width, headers[-1].height), time.monotonic() - began
    return Restored(len(headers), seconds, *size, FOLDER_EXTENSION[1:], out, why)


def _report_conversions(headers: list[Header], report: Report) -> None:
    for note in conversion_notes(headers):
        report.message(note, "warning")


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(
            f"The folder {folder} cannot be created: {error.strerror}. Give another folder."
        ) from error


def _extension(out: Path) -> str:
    extension = next(
        (
            extension
            for extension in sorted(SAVE_OPTIONS, key=len, reverse=True)
            if out.name.lower().endswith(extension)
        ),
        "",
    )
    if not extension or not is_image(out.name):
        raise JobError(
            f"{out.name} does not have the file extension of an image. "
            f"Choose one of {', '.join(SAVE_OPTIONS)}, or give an existing folder."
        )
    return extension


def _restore(source: Path, out: Path, model: Model) -> Reading:
    """Restore an image into a file and return the input. Raises JobError."""
    reading = read(source)
    picture = reading.picture
    input = picture if model.channels == 3 else to_gray(picture, "BT.601")
    takes_qp = model.restorer.takes_qp
    seen = with_plane(input, reading.coding.qp, model.qp) if takes_qp else input
    image = torch.tensor(seen).permute(2, 0, 1)[None]
    try:
        restored = (
            to_uint8(tiles.restore(model.restorer, image, model.limit)[0]).permute(1, 2, 0).numpy()
        )
    except tiles.TooLarge as error:
        raise JobError(f"{source.name}: {error}") from error
    _write(restored, out, reading.metadata)
    return reading


def _write(picture: Picture, out: Path, metadata: dict[str, Any]) -> None:
    extension, encoded = _extension(out), io.BytesIO()
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    more = {} if extension.startswith(".bmp") else metadata
    image.save(encoded, **SAVE_OPTIONS[extension], **more)
    draft = out.with_name(f".{out.name}.part")
    try:
        draft.write_bytes(
            gzip.compress(encoded.getvalue(), 6)
            if extension.endswith(".gz")
            else encoded.getvalue()
        )
        os.replace(draft, out)
    except OSError as error:
        with suppress(OSError):  # On a read-only file system even this is refused.
            draft.unlink(missing_ok=True)
        reason = DISK_FULL if is_disk_full(error) else f"{out} cannot be written: {error.strerror}."
        raise JobError(reason) from error
