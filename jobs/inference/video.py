"""The test job for a video: the restored file, copies for browsers, and scores of the frames.

The frames are scored if the originals are known. `facts` events report results as soon as they are
known, so that they are in the log even if the job ends early.
"""

import json
from pathlib import Path
from typing import cast

import av

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.core.types.facts import PictureFacts, RestoredVideo, VideoInput
from jobs.core.types.summaries import TestSummary
from jobs.inference import frame_scores
from jobs.inference.originals_copy import copy_originals
from jobs.media import video
from jobs.media.video import Facts
from jobs.networks.loaded import load_tested
from jobs.restoring.network import Model
from jobs.restoring.video import Copies, Restored, restore_video
from jobs.specs import VideoTest
from jobs.specs.test import Codec
from models.memory import free_memory


class OutputFacts(RestoredVideo, PictureFacts):
    """The facts of a restored video."""


EXTENSIONS: dict[Codec, str] = {"h264": ".mp4", "hevc": ".mp4", "ffv1": ".mkv"}


def test_video(folder: JobFolder, spec: VideoTest, report: Report) -> TestSummary:
    """Restore a video, and score its frames if the originals are known."""
    loaded = load_tested(folder, spec)
    source = Path(spec.video)
    facts = video.facts(source, go_on=report.go_on)
    originals = (
        frame_scores.find_originals(Path(spec.originals), source, facts, report.go_on)
        if spec.originals
        else None
    )
    note = frame_scores.note(source, facts.frames, originals) if originals else ""
    report.log.append("facts", snapshot=loaded.snapshot, input=_input_facts(facts), note=note)

    results = folder.path / "results"
    results.mkdir(exist_ok=True)
    out, copies = (
        results / f"restored{EXTENSIONS[spec.codec]}",
        Copies(results / "input.mp4", results / "output.mp4"),
    )
    network = Model(loaded.restorer, loaded.channels, free_memory(loaded.device), spec.qp)
    restored = restore_video(
        *(source, out, network, report, spec.codec),
        overwrite=True,
        copies=copies,
        frames=facts.frames,
        bit_depth=spec.bit_depth,
    )
    output_facts = _output_facts(folder, restored, copies)
    report.log.append("facts", **output_facts)
    report.check()
    if originals is not None:
        truth, times = results / "truth.mp4", frame_times(copies.input)
        copy_originals(originals, times, truth, report)
        report.log.append("facts", shown={**output_facts["shown"], "truth": _url(folder, truth)})
        frame_scores.measure(source, restored, originals, loaded.channels, report)
    if restored.why:
        raise JobError(f"{restored.why} The finished part is kept.")
    return {}


def _input_facts(facts: Facts) -> VideoInput:
    fields = facts.as_json()
    return cast(VideoInput, {name: fields[name] for name in VideoInput.__annotations__})


def _output_facts(folder: JobFolder, restored: Restored, copies: Copies) -> OutputFacts:
    """The facts of the restored video, and the URLs of the files that its page compares."""
    output = copies.output if copies.output.exists() else restored.out
    times = folder.path / "results" / "times.json"
    times.write_text(json.dumps(frame_times(output)), encoding="ascii")
    return {
        "frames": restored.frames,
        "frames_per_second": restored.frames_per_second,
        "width": restored.width,
        "height": restored.height,
        "codec": restored.codec,
        "file": _url(folder, restored.out),
        "bytes": restored.out.stat().st_size,
        "sound": _has_sound(output),
        "shown": {
            "input": _url(folder, copies.input),
            "output": _url(folder, output),
            "times": _url(folder, times),
        },
    }


def _url(folder: JobFolder, path: Path) -> str:
    return folder.url(str(path.relative_to(folder.path)))


def frame_times(path: Path) -> list[float]:
    """The times of a video's frames in seconds, as browsers count them.

    If a stream starts before zero, they count from its start.
    """
    with av.open(str(path)) as container:
        packets = container.demux(video.videos_of(container)[0])
        times = [
            packet.pts * packet.time_base
            for packet in packets
            if packet.pts is not None and packet.time_base is not None
        ]
        start = min(0.0, (container.start_time or 0) / av.time_base)
        return [round(float(time) - start, 6) for time in sorted(times)]


def _has_sound(path: Path) -> bool:
    with av.open(str(path)) as container:
        return len(container.streams.audio) > 0
