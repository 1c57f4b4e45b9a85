"""Probe of dataset sources before a job exists.

`python -m jobs.datasets.probe < spec.json` prints JSON. It runs in a separate process because a
stream can crash a decoder. The frame comparison has a time limit, so that the form gets its answer
in about a second. The answer includes the number of compared frames.
"""

import base64
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import av

from jobs.core import limits
from jobs.core.errors import JobError, counted
from jobs.core.report import finite
from jobs.datasets import sources
from jobs.datasets.alignment import REACH, Alignment
from jobs.datasets.comparison import compare
from jobs.datasets.image_check import ImageCheck
from jobs.datasets.pair_processes import PROCESSES
from jobs.datasets.sources import Sequence
from jobs.media import video
from jobs.media.encodings import encode as encode_pair
from jobs.media.h264 import encode, options_of, rates_of
from jobs.media.images import Picture, to_rgb
from jobs.media.originals import Images, Video, originals_of
from jobs.media.png import encode_png
from jobs.media.quality import psnr, ssim
from jobs.media.video import GoOn
from jobs.specs.dataset import DatasetSpec, Separate
from jobs.specs.sources import CompressSource, FoldersSource, ImportSource, PairsSource

SECONDS = 0.5
"""Time limit for comparing frames. The whole probe takes about twice as long."""
THOROUGH_SECONDS = 20.0
COUNT_SECONDS = 5.0
"""Largest time for counting frames; the frames after that are estimated."""
MAX_LISTED = 50
TRIAL_FRAMES = 4
SHARED_WORK = 3
"""The work of a pair that worker processes share, in times of measuring and encoding it; the rest,
about 1, is done by the job itself. On 2 cores, jobs of 150 to 2,000 pairs from 176x144 to 1280x720
took 0.6 to 1.6 times as long as this says."""

Answer = dict[str, Any]


def probe(spec: DatasetSpec, seconds: float = SECONDS) -> Answer:
    """Return what the form shows: sequences, problems, first pair, alignment, estimated size."""
    answer: Answer = {"problems": [], "warnings": [], "skipped": [], "sequences": []}
    try:
        deadline = time.monotonic() + min(seconds, COUNT_SECONDS)

        def go_on() -> bool:
            return time.monotonic() < deadline

        if isinstance(spec.source, CompressSource):
            _probe_compress(spec, spec.source, answer, go_on)
        else:
            _probe_pairs(spec, answer, seconds, go_on)
        for method in (spec.validation, spec.test):
            if isinstance(method, Separate) and not isinstance(method.source, CompressSource):
                _check_sequences(_sequences(method.source, answer, go_on), spec, answer)
    except JobError as error:
        if not any(str(error) in problem for problem in answer["problems"]):
            answer["problems"].append(str(error))
    return answer


def _probe_pairs(spec: DatasetSpec, answer: Answer, seconds: float, go_on: GoOn) -> None:
    assert not isinstance(spec.source, CompressSource)
    sequences = _sequences(spec.source, answer, go_on)
    answer["sequences"] = [_facts(sequence) for sequence in sequences[:MAX_LISTED]]
    answer["counted"] = all(
        _counted(side) for sequence in sequences for side in (sequence.inputs, sequence.originals)
    )
    answer["frames"] = sum(sequence.inputs.count for sequence in sequences)
    answer["originals"] = sum(sequence.originals.count for sequence in sequences)
    _check_sequences(sequences, spec, answer)
    first = sequences[0]
    _first_pair(first, spec, answer, answer["originals"])
    by_name = isinstance(spec.source, ImportSource) or (
        isinstance(spec.source, FoldersSource) and spec.source.pairing == "stem"
    )
    if not by_name and not answer["problems"]:
        _alignment(first, answer, seconds)


def _sequences(source: PairsSource, answer: Answer, go_on: GoOn) -> list[Sequence]:
    return sources.find_pairs(
        source,
        lambda name, why: answer["skipped"].append({"name": name, "why": why}),
        go_on,
        go_on,
    )


def _check_sequences(sequences: list[Sequence], spec: DatasetSpec, answer: Answer) -> None:
    """Add differences in number, misfits and conversions to the answer."""
    check = ImageCheck(lambda: None)
    for sequence in sequences:
        _compare_counts(sequence, answer)
        check.add(sequence, _chosen(sequence, spec))
    _add_check(check, answer)


def _chosen(sequence: Sequence, spec: DatasetSpec) -> range:
    """The numbers of the originals that have an input and are chosen."""
    originals = sequence.originals.count
    if isinstance(sequence.inputs, Images):
        originals = min(originals, sequence.inputs.count + sequence.offset)
    return sources.numbers(originals, spec.frames, max(sequence.offset, 0))


def _add_check(check: ImageCheck, answer: Answer) -> None:
    answer["problems"] += check.misfits
    answer["warnings"] += check.notes()


def _counted(side: Images | Video) -> bool:
    return isinstance(side, Images) or side.facts.counted


def _facts(sequence: Sequence) -> Answer:
    return {
        "name": sequence.name or sequence.inputs.place,
        "input": _video_facts(sequence.inputs),
        "inputs": sequence.inputs.count,
        "originals": sequence.originals.count,
        "original": _video_facts(sequence.originals),
        "split": sequence.split,
    }


def _video_facts(side: Images | Video) -> Answer | None:
    return side.facts.as_json() if isinstance(side, Video) else None


def _compare_counts(sequence: Sequence, answer: Answer) -> None:
    frames, originals = sequence.inputs.count, sequence.originals.count
    if abs(frames - originals) > abs(sequence.offset):
        answer["warnings"].append(
            f"{sequence.inputs.place} has {_count(sequence.inputs, 'frame')}, "
            f"but {sequence.originals.place} has {_count(sequence.originals, 'original')}."
        )


def _count(side: Images | Video, noun: str) -> str:
    """Return "120 frames", or "about 120 frames" for an estimate."""
    return f"{'' if _counted(side) else 'about '}{counted(side.count, noun)}"


def _first_pair(sequence: Sequence, spec: DatasetSpec, answer: Answer, count: int) -> None:
    """Add the first pair at the given offset to the answer: pictures, sizes, PSNR, estimate."""
    load_input, load_original = (
        next(islice(side.load(), max(skipped, 0), None), None)
        for side, skipped in (
            (sequence.inputs, -sequence.offset),
            (sequence.originals, sequence.offset),
        )
    )
    if load_input is None or load_original is None:
        raise JobError(
            f"No frame of {sequence.inputs.place} could be decoded. "
            "Give a stream that contains pictures."
        )
    input, target = load_input(), load_original()
    answer["input_size"], answer["target_size"] = _size(input), _size(target)
    _add_pair(input, target, spec, answer, count)


def _size(picture: Picture) -> str:
    """The size as the API has it, for programs: 352x288, with the letter x."""
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _add_pair(
    input: Picture, target: Picture, spec: DatasetSpec, answer: Answer, count: int
) -> None:
    answer["first"] = {"input": _data_url(input), "target": _data_url(target)}
    if input.shape[:2] != target.shape[:2]:
        return
    input, target = (
        (to_rgb(input), to_rgb(target)) if input.shape != target.shape else (input, target)
    )
    answer["first"] |= {"psnr": finite(psnr(input, target)), "ssim": finite(ssim(input, target))}
    # Measured after a first pair, for which a new process loads the compiled functions.
    began = time.monotonic()
    psnr(input, target), ssim(input, target)
    pair_bytes = sum(
        len(encode_pair(picture, encoding, spec.jpeg_quality))
        for picture, encoding in ((input, spec.input_encoding), (target, spec.target_encoding))
    )
    seconds = time.monotonic() - began
    pairs = min(len(range(spec.frames.first, count, spec.frames.step)), spec.frames.most or count)
    answer["estimate"] = {
        "pairs": pairs,
        "bytes": pair_bytes * pairs,
        "seconds": seconds * pairs * (1 + SHARED_WORK / PROCESSES),
    }


def _data_url(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(picture)).decode()


def _alignment(sequence: Sequence, answer: Answer, seconds: float) -> None:
    alignment = compare(sequence, seconds)
    complete = alignment.frames + REACH >= min(sequence.inputs.count, sequence.originals.count)
    answer["alignment"] = _alignment_facts(alignment, complete)
    answer["warnings"] += alignment.advice(sequence.offset)


def _alignment_facts(alignment: Alignment, complete: bool) -> Answer:
    shown = [offset for offset in alignment.offsets if abs(offset - alignment.best) <= REACH]
    return {
        "offsets": shown,
        "psnr": [finite(alignment.at(offset)) for offset in shown],
        "best": alignment.best,
        "jumps": [{**asdict(jump), "words": jump.text()} for jump in alignment.jumps],
        "frames": alignment.frames,
        "whole": complete,
    }


def _probe_compress(spec: DatasetSpec, source: CompressSource, answer: Answer, go_on: GoOn) -> None:
    """Add the originals and a trial encoding of the first frames at each rate to the answer."""
    originals = originals_of(Path(source.originals), source.raw, go_on)
    answer["sequences"] = [
        {
            "name": originals.place,
            "input": None,
            "original": _video_facts(originals),
            "originals": originals.count,
        }
    ]
    answer["counted"] = _counted(originals)
    answer["originals"] = originals.count
    check = ImageCheck(lambda: None)
    check.add_depths(originals)
    if isinstance(originals, Images):
        check.add_equal(originals, sources.numbers(originals.count, spec.frames))
    _add_check(check, answer)
    if check.misfits:
        return
    pictures = [to_rgb(load()) for load in islice(originals.load(), TRIAL_FRAMES)]
    if not pictures:
        raise JobError(
            f"No frame of {originals.place} could be decoded. Give originals that contain pictures."
        )
    answer["target_size"] = _size(pictures[0])
    answer["rates"] = []
    rates = rates_of(source)
    for _, options in rates:
        coded, bytes_a_frame = _trial(iter(pictures), {**options, **options_of(source)})
        target = pictures[0][: coded.shape[0], : coded.shape[1]]
        if "first" not in answer:
            _add_pair(coded, target, spec, answer, originals.count)
        answer["rates"].append(
            {
                "name": _rate_name(options),
                "psnr": finite(psnr(coded, target)),
                "bytes_a_frame": bytes_a_frame,
            }
        )
    for key in ("pairs", "bytes", "seconds"):
        answer["estimate"][key] *= len(rates)


def _rate_name(rate: dict[str, str]) -> str:
    """Return "QP 37", "CRF 23" or "500 kbit/s", as for a stream's encoder settings."""
    ((kind, value),) = rate.items()
    return f"{value.removesuffix('k')} kbit/s" if kind == "b" else f"{kind.upper()} {value}"


def _trial(pictures: Iterator[Picture], options: dict[str, str]) -> tuple[Picture, float]:
    """Encode the pictures; return the first decoded picture and the mean bytes per frame."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.h264"
        encode(pictures, path, options)
        # The program's own file: it lies outside the folders that `video` may read.
        with av.open(str(path), format="h264") as container:
            frame = next(container.decode(video=0))
        return video.to_picture(frame), path.stat().st_size / TRIAL_FRAMES


def main() -> None:
    """Probe the dataset whose spec standard input has; print the answer as JSON."""
    limits.limit_memory(computes=False)
    request = json.load(sys.stdin)
    seconds = THOROUGH_SECONDS if request.pop("thorough", False) else SECONDS
    print(json.dumps(probe(DatasetSpec.model_validate(request), seconds), allow_nan=False))


if __name__ == "__main__":
    main()
