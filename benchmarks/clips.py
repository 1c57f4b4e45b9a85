"""The clips of the benchmarks of quality: consecutive frames of real material, coded by libx264.

Clips whose source was compressed are scaled down first: that removes the damage of their own
coding. Folders of frames, streams and datasets are kept in a work folder, and made only once.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.record import ROOT
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.specs import DatasetSpec

MEDIA = ROOT.parent / "shared" / "media"
CLIPS = MEDIA / "clips"
FEW = {"method": "blocks", "percent": 1}
"""The validation pairs: clips that were left out are measured, not these."""
FRAMES = 30
"""The most frames of a clip: its first ones."""


@dataclass(frozen=True)
class Clip:
    """A clip of MEDIA. `divide`: the factor that its frames are scaled down by."""

    file: str
    divide: int = 1
    raw: dict[str, Any] = field(default_factory=dict)


SEQUENCES = {
    "carphone": Clip("clips/carphone_pristine.mp4"),
    "bikes": Clip("clips/bikes.mp4", divide=2),
    "bigbuckbunny": Clip("clips/bigbuckbunny.mp4", divide=3),
    "flower": Clip("clips/VID_1280x720_cabac_temporal_direct.264", divide=3),
    "mobile": Clip("clips/CVPCMNL1_SVA_C.264"),
    "park_joy": Clip("clips/park_joy_480x270.y4m"),
    "two_people": Clip(
        "clips/two_people_320x192_12fps_yuv420p.yuv", raw={"width": 320, "height": 192}
    ),
}
"""The clips that are measured."""
SEEN_ONLY = {
    "foreman": Clip("h264/test_cif_P_CABAC_slice.264", divide=2),
    "football": Clip("h264/CI1_FT_B.264", divide=2),
    "whisper": Clip("h264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264", divide=2),
}
"""Clips that every training sees, and that are not measured: their sources are the worst."""
ALL = SEQUENCES | SEEN_ONLY


def frames(name: str, scaled: bool = True) -> Iterator[Image.Image]:
    """The frames of a clip, scaled down by its factor unless `scaled` is False."""
    from jobs.media.video import decode_frames, to_picture
    from jobs.specs.sources import RawVideo

    clip = ALL[name]
    raw = RawVideo.model_validate(clip.raw) if clip.raw else None
    for frame in islice(decode_frames(MEDIA / clip.file, raw=raw), FRAMES):
        picture = Image.fromarray(to_picture(frame))
        if scaled and clip.divide > 1:
            width, height = (side // clip.divide // 2 * 2 for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        yield picture


def originals(work: Path, name: str) -> Path:
    """The folder with the frames of a clip."""
    folder = work / "originals" / name
    if not folder.exists():
        draft = folder.with_name(f".{name}")
        draft.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(frames(name)):
            picture.save(draft / f"{number:04d}.bmp")
        draft.rename(folder)
    return folder


def dataset(work: Path, name: str, *qps: int) -> str:
    """The id of the dataset of a clip at some QPs, with preset medium."""
    index = work / "datasets.json"
    ids: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
    label = " ".join([name, *map(str, qps)])
    if label not in ids:
        source = {"kind": "compress", "originals": str(originals(work, name)), "qp": list(qps)}
        fields = {"name": label, "source": source, "validation": FEW, "input_encoding": "none"}
        spec = DatasetSpec.model_validate(fields)
        job = folders.create(work, "dataset", spec)
        finish(job)
        ids[label] = job.id
        index.write_text(json.dumps(ids))
    return ids[label]


def finish(job: JobFolder) -> tuple[float, float]:
    """Run a job to its end; returns CPU seconds and wall-clock seconds."""
    began = time.monotonic()
    pid = launcher.start(job)
    process = psutil.Process(pid)
    used = 0.0
    while job.worker_lives():
        try:
            times = process.cpu_times()
            used = times.user + times.system
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.2)
    state = last_state(job.events)
    assert state is not None
    assert state["state"] == "done", (state.get("reason"), job.worker_log.read_text())
    return used, time.monotonic() - began
