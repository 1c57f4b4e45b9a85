"""Dataset jobs and probes of the field files."""

from pathlib import Path
from typing import Any

import pytest

from jobs.core import folder as folders
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.types.events import StateEvent
from jobs.datasets.probe import probe
from jobs.datasets.store import PairReader
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec

FIELD = ROOT.parent / "shared" / "field"


def field_file(name: str) -> Path:
    """A file or folder of the field files. Skips the test if it is missing."""
    if not (FIELD / name).exists():
        pytest.skip(f"../shared/field/{name} does not exist")
    return FIELD / name


def run_dataset(home: Path, source: dict[str, Any], **fields: Any) -> JobFolder:
    """Run a dataset job in this process; return its folder."""
    spec = DatasetSpec.model_validate({"name": "field", "source": source, **fields})
    folder = folders.create(home, "dataset", spec)
    run_worker(str(folder.path))
    return folder


def probe_source(source: dict[str, Any], **fields: Any) -> dict[str, Any]:
    spec = DatasetSpec.model_validate({"name": "probe", "source": source, **fields})
    return probe(spec, seconds=60)


def end_of(folder: JobFolder) -> StateEvent:
    state = last_state(folder.events)
    assert state is not None
    return state


def messages_of(folder: JobFolder) -> list[str]:
    return [event["text"] for event in read(folder.events) if event["type"] == "message"]


def metas_of(folder: JobFolder) -> list[dict[str, Any]]:
    """The facts of all pairs of all splits."""
    stores = [folder.store(split) for split in ("train", "val", "test")]
    rows: list[dict[str, Any]] = []
    for store in filter(Path.exists, stores):
        reader = PairReader(store)
        rows += reader.metas()
        reader.close()
    return rows
