"""Real media for tests."""

import gzip
import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core.errors import JobError
from jobs.media.h264 import encode
from jobs.media.images import Picture
from jobs.media.video import decode


def real_clip(video: Path, folder: Path, frames: int = 96, qp: int = 37) -> tuple[Path, Path]:
    """Make a clip of a video's first frames: originals as .bmp.gz, and a stream at a coarse QP.

    Returns the stream and the folder of the originals, in the layout of the example that this
    project follows.
    """
    originals = folder / "originals"
    originals.mkdir(parents=True)
    pictures = list(islice(decode(video), frames))
    for number, picture in enumerate(pictures):
        bmp = io.BytesIO()
        Image.fromarray(picture).save(bmp, "BMP")
        (originals / f"frame{number}.bmp.gz").write_bytes(gzip.compress(bmp.getvalue(), 1))
    encode(iter(pictures), folder / "clip.h264", {"qp": str(qp)})
    return folder / "clip.h264", originals


def picture_or_none(read: Callable[[Path], Picture], path: Path) -> Picture | None:
    """The picture that `read` returns, or None if it raises a JobError that names the file."""
    try:
        picture = read(path)
    except JobError as error:
        if path.name not in str(error):
            pytest.fail(f"the error does not name {path.name}: {error}")
        return None
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    return picture
