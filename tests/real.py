"""A real clip as the example that this project follows assumes it: originals as .bmp.gz, a stream at a coarse QP."""

import gzip
import io
from itertools import islice
from pathlib import Path

from PIL import Image

from jobs.compress import encode
from jobs.video import decode


def real_clip(video: Path, folder: Path, frames: int = 96, qp: int = 37) -> tuple[Path, Path]:
    """The first frames of a video, written as originals and encoded; returns the stream and the originals' folder."""
    originals = folder / "originals"
    originals.mkdir(parents=True)
    pictures = list(islice(decode(video), frames))
    for number, picture in enumerate(pictures):
        bmp = io.BytesIO()
        Image.fromarray(picture).save(bmp, "BMP")
        (originals / f"frame{number}.bmp.gz").write_bytes(gzip.compress(bmp.getvalue(), 1))
    encode(iter(pictures), folder / "clip.h264", {"qp": str(qp)})
    return folder / "clip.h264", originals
