"""The parts of scripts/gpu_check.sh that need Python: `python scripts/gpu_check.py PART …`.

Each prints JSON or a table.
"""

import json
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from app.runner import gpus
from benchmarks.training import Net
from jobs import run
from jobs.core import folder as folders
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.media.sample_clip import make_clip
from jobs.specs import DatasetSpec, ModelSpec

BATCH, SIDE, CHANNELS = 512, 64, 3

MOST_DIFFERENCE = 0.1
"""In dB, of two trainings that sum in another order."""


def nvml() -> None:
    """An idle GPU must be free. Prints a line for each GPU."""
    for name in gpus.names():
        print(name, "used" if gpus.is_used(name) else "free", gpus.users(name) or "no programs")
    if not gpus.names() or any(map(gpus.is_used, gpus.names())):
        sys.exit("A GPU is missing, or other programs use it.")


def data(home: str) -> None:
    """A dataset in the home, from the sample clip."""
    stream, originals = make_clip(Path(home) / "clip")
    source = {"kind": "stream", "stream": str(stream), "originals": str(originals)}
    spec = DatasetSpec.model_validate({"name": "data", "source": source})
    print(finished(folders.create(Path(home), "dataset", spec))["pairs"])


def trained(home: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train in this process. Returns the summary."""
    (dataset,) = [
        path.parent.name
        for path in Path(home).glob("jobs/*/job.json")
        if json.loads(path.read_text())["kind"] == "dataset"
    ]
    spec = {"name": "check", "dataset": dataset, "channels": "rgb", "device": "cuda", **settings}
    return finished(folders.create(Path(home), "model", ModelSpec.model_validate(spec)))


def finished(folder: JobFolder) -> dict[str, Any]:
    run.main(str(folder.path))
    state = last_state(folder.events)
    if state is None or state["state"] != "done":
        sys.exit(f"The job failed: {state and state.get('reason')}")
    return dict(state["summary"])


def waits(home: str, settings: str) -> None:
    """The places in which a training waits for the GPU, with their number in 200 steps.

    Points, validations and snapshots may wait; something that waits in each step is an error.
    """
    steps = 200
    torch.cuda.init()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        trained(home, {"steps": steps, "batch_size": 64, **json.loads(settings)})
        torch.cuda.set_sync_debug_mode("default")
    places = Counter(
        f"{warning.filename}:{warning.lineno}"
        for warning in caught
        if "synchroniz" in str(warning.message)
    )
    print(json.dumps({"settings": json.loads(settings), "places": dict(places.most_common(12))}))
    if places and places.most_common(1)[0][1] >= steps:
        sys.exit("Each step waits for the GPU.")


def speed(home: str, settings: str) -> None:
    """The speed and scores of 400 steps."""
    chosen = {"steps": 400, "batch_size": BATCH, "validation_interval": 100, **json.loads(settings)}
    print(json.dumps({"settings": json.loads(settings), **trained(home, chosen)}))


def graph(home: str, settings: str) -> None:
    """The scores and the speed of 300 steps with CUDA graphs allowed, and without."""
    runs = {}
    for allowed in (True, False):
        chosen = {"steps": 300, "batch_size": 16, "cuda_graph": allowed, **json.loads(settings)}
        runs[allowed] = trained(home, chosen)
    psnr = [run["last"]["scores"]["val/psnr"] for run in runs.values()]
    speed = [run["patches_per_second"] for run in runs.values()]
    times = runs[True]["step_times"]
    answer = {"settings": json.loads(settings), "times": times, "psnr": psnr, "speed": speed}
    print(json.dumps(answer))
    if "CUDA graph" not in times or "worker.log" in times or runs[False]["step_times"]:
        sys.exit("Steps were not measured as a CUDA graph.")
    if abs(psnr[0] - psnr[1]) > MOST_DIFFERENCE:
        sys.exit("The scores differ.")


def profile() -> None:
    """The kernels of ten plain steps: bound by launches, by memory or by arithmetic?"""
    torch.backends.cudnn.benchmark = True
    net = Net().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    image = torch.rand(BATCH, CHANNELS, SIDE, SIDE, device="cuda")
    image = image.to(memory_format=torch.channels_last)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                output = net(image)
            F.l1_loss(output.float(), image).backward()
            optimizer.step()
        torch.cuda.synchronize()

    steps(20)
    with torch.profiler.profile() as profiler:
        steps(10)
    table = profiler.key_averages().table(sort_by="cuda_time_total", row_limit=15)
    print(table)


def collect(folder: str) -> None:
    """All results as one JSON object: of each part its exit status, and its output."""
    parts: dict[str, Any] = {}
    for status in sorted(Path(folder).glob("*.status")):
        lines = status.with_suffix(".txt").read_text(errors="replace").splitlines()
        answers = [answer for line in lines if (answer := _parsed(line)) is not None]
        parts[status.stem] = {
            "status": int(status.read_text()),
            "output": answers[-1] if answers else lines[-40:],
        }
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    print(json.dumps({"gpu": name, "torch": torch.__version__, "parts": parts}, indent=1))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


PARTS = {part.__name__: part for part in (nvml, data, waits, speed, graph, profile, collect)}

if __name__ == "__main__":
    PARTS[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
