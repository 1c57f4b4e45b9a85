"""Sentences on images that do not fit."""

from pathlib import Path

from jobs.datasets.image_check import _subject
from jobs.media.originals import Images


def test_a_sentence_names_a_few_of_many_images() -> None:
    names = [f"{number}.png" for number in range(1200)]
    originals = Images([Path("/gt") / name for name in names])
    assert _subject(originals, names[:1]) == "/gt/0.png is"
    assert _subject(originals, names[:2]) == "2 images of /gt (0.png, 1.png) are"
    assert _subject(originals, names) == (
        "1,200 images of /gt (0.png, 1.png, 2.png, 3.png, 4.png and 1,195 more) are"
    )
