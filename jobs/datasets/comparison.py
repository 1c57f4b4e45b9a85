"""Comparison of a stream with its originals, for the probe and for the advice of a failed job."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from jobs.core.errors import JobError
from jobs.datasets.alignment import Alignment, Levels, align, glance
from jobs.datasets.sources import Miscount, Sequence
from jobs.media.images import to_rgb
from jobs.media.originals import Images, Video

JOB_SECONDS = 25.0
"""Time limit for comparing the frames of a stream that has too many or too few."""


def compare(sequence: Sequence, seconds: float) -> Alignment:
    """Decode both sides for at most `seconds` and align what was decoded."""
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(2) as pool:
        inputs = pool.submit(_glances, sequence.inputs, deadline)
        targets = pool.submit(_glances, sequence.originals, deadline)
        return align(inputs.result(), targets.result(), sequence.offset)


def _glances(side: Images | Video, deadline: float) -> list[Levels]:
    glances = []
    for load in side.load():
        glances.append(glance(to_rgb(load())))
        if time.monotonic() > deadline:
            break
    return glances


@contextmanager
def confirmed_advice(sequence: Sequence) -> Iterator[None]:
    """Give a Miscount the advice that a comparison of the pictures confirms."""
    try:
        yield
    except Miscount as error:
        alignment = compare(sequence, JOB_SECONDS)
        advice = alignment.advice(sequence.offset)
        if not advice:
            raise
        if alignment.jumps:
            jump = alignment.jumps[0]
            matching = jump.frame - 1 + jump.before
            advice.append(
                "Give originals that have a frame each, "
                f"or set the last frame to {matching} to use the frames before that."
            )
        elif alignment.is_related:
            advice.append("Use that offset, or remove the frames and originals without a partner.")
        raise JobError(" ".join([error.counts, *advice])) from error
