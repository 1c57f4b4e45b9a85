"""A training in plain Python, without a server and without other worker processes.

    python examples/train_without_server.py STREAM ORIGINALS HOME [EPOCHS]

Makes a dataset and a model in the folder HOME, which a server can show later, and prints the gain.
"""

import sys
from functools import reduce
from pathlib import Path

from jobs import run
from jobs.core import folder as folders
from jobs.core.events import EventLog, read
from jobs.core.folder import JobFolder
from jobs.core.types.summaries import JobSummary
from jobs.core.view import empty, fold
from jobs.specs import DatasetSpec, JobSpec, ModelSpec


def done(home: Path, kind: str, spec: JobSpec) -> tuple[JobFolder, JobSummary]:
    """Create a job and do its work in this process. Raises RuntimeError with the reason."""
    folder = folders.create(home, kind, spec)
    with EventLog(folder.events) as log:
        run.run(folder, log)
    view = reduce(fold, read(folder.events), empty())
    if view["state"] != "done":
        raise RuntimeError(view["reason"])
    return folder, view["summary"]


def main(stream: str, originals: str, home: str, epochs: str = "5") -> None:
    source = {"kind": "stream", "stream": stream, "originals": originals}
    pairs = DatasetSpec.model_validate({"name": "clip", "source": source})
    dataset, _ = done(Path(home), "dataset", pairs)
    training = {"name": "first", "dataset": dataset.id, "epochs": int(epochs), "patch_size": 32}
    model, summary = done(Path(home), "model", ModelSpec.model_validate(training))
    best = summary["best"]
    after, before = best["val/psnr"], best["val/psnr_input"]
    assert after is not None
    assert before is not None
    print(f"{model.id}: {after:.2f} dB, input {before:.2f} dB ({after - before:+.2f} dB)")


if __name__ == "__main__":
    main(*sys.argv[1:])
