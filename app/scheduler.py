"""Starts waiting jobs, oldest first, when what they need is free."""

import shutil
import subprocess

from app.catalog import Catalog
from app.database import JobRow, Sessions
from app.full_disk import every
from jobs import launcher
from jobs.folder import JobFolder

INTERVAL = 0.2
SLOTS = {"dataset": 2, "test": 2}


def gpu_count() -> int:
    """GPUs of this machine, by NVIDIA's own tool: the server has no torch to ask."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listing.stdout.splitlines())


class Scheduler:
    """One training a GPU (or one on the CPU); datasets and tests beside them."""

    def __init__(self, catalog: Catalog, gpus: int) -> None:
        self._catalog = catalog
        self._gpus = gpus
        self._gpu_of: dict[str, int] = {}

    def run(self) -> None:
        every(INTERVAL, self.schedule)

    def schedule(self) -> None:
        """One round: start all that can start now."""
        live = self._catalog.find(states=frozenset({"waiting", "running"}), limit=100_000)
        occupied = [row for row in live if row.launched or row.state == "running"]
        self._gpu_of = {row.id: self._gpu_of.get(row.id, 0) for row in occupied if row.kind == "model"}
        taken = {kind: sum(row.kind == kind for row in occupied) for kind in ("dataset", "model", "test")}
        for row in reversed(live):
            slots = max(self._gpus, 1) if row.kind == "model" else SLOTS[row.kind]
            if row in occupied or row.id in self._catalog.aborting or taken[row.kind] >= slots or not self._ready(row):
                continue
            self._start(row)
            taken[row.kind] += 1

    def _ready(self, row: JobRow) -> bool:
        """Whether what the job builds on is there; a job whose dataset failed ends with that reason."""
        if row.kind != "model":
            return True
        dataset = self._catalog.get(row.spec["dataset"])
        if dataset is None:
            self._fail(row, "Its dataset was deleted. Clone the model and choose another one.")
        elif dataset.state in ("error", "aborted"):
            self._fail(
                row, f"Its dataset “{dataset.name}” was not finished ({dataset.state}). Resume the dataset, then this model."
            )
        return dataset is not None and dataset.state == "done"

    def _fail(self, row: JobRow, reason: str) -> None:
        self._catalog.write_end(self._catalog.folder(row.id), "error", reason)

    def _start(self, row: JobRow) -> None:
        folder = JobFolder(self._catalog.folder(row.id).path)
        with Sessions.begin() as session:
            session.get_one(JobRow, row.id).launched = True
        launcher.start(folder, self._environment(row))

    def _environment(self, row: JobRow) -> dict[str, str]:
        if row.kind != "model" or not self._gpus:
            return {}
        free = min(set(range(self._gpus)) - set(self._gpu_of.values()))
        self._gpu_of[row.id] = free
        return {"CUDA_VISIBLE_DEVICES": str(free)}
