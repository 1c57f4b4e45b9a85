"""Starts waiting jobs, oldest first, when what they need is free."""

import os
import shutil
import subprocess
from functools import cache

from app.catalog import Catalog
from app.database import JobRow, Sessions
from app.full_disk import every
from jobs import launcher
from jobs.folder import JobFolder

INTERVAL = 0.2
SLOTS = {"dataset": 2, "test": 2}


@cache
def gpu_names() -> tuple[str, ...]:
    """The GPUs that trainings may use, as CUDA_VISIBLE_DEVICES names them: those the server was started with, or all of the
    machine, by NVIDIA's own tool: the server has no torch to ask."""
    if shutil.which("nvidia-smi") is None:
        return ()
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return tuple(name for name in os.environ["CUDA_VISIBLE_DEVICES"].replace(" ", "").split(",") if name)
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    count = sum(line.startswith("GPU ") for line in listing.stdout.splitlines())
    return tuple(map(str, range(count)))


CPU = -1
"""Stands beside the numbers of the GPUs for the processor."""


class Scheduler:
    """One training a GPU, and one on the processor; datasets and tests beside them. GPUs are counted from 0 in `gpus`."""

    def __init__(self, catalog: Catalog, gpus: tuple[str, ...], user_code: bool = False) -> None:
        self._catalog, self._names, self._user_code = catalog, gpus, user_code
        self._gpus = frozenset(range(len(gpus)))
        self._held: dict[str, frozenset[int]] = {}
        """By the id of a training: where it computes."""

    def run(self) -> None:
        every(INTERVAL, self.schedule)

    def schedule(self) -> None:
        """One round: start all that can start now."""
        live = self._catalog.find(states=frozenset({"waiting", "running"}), limit=100_000)
        occupied = [row for row in live if row.launched or row.state == "running"]
        self._held = {row.id: self._held.get(row.id) or self._told_by(row) for row in occupied if row.kind == "model"}
        reserved: frozenset[int] = frozenset()
        taken = {kind: sum(row.kind == kind for row in occupied) for kind in SLOTS}
        for row in reversed(live):
            if row in occupied or row.id in self._catalog.aborting or not self._ready(row):
                continue
            if row.kind == "model":
                if place := self._free_for(row, reserved):
                    self._held[row.id] = place
                    self._start(row)
                else:  # Those behind it in the queue do not take it away, one GPU after the other.
                    reserved |= frozenset() if _any_gpu(row) else self._asked_for(row)
            elif taken[row.kind] < SLOTS[row.kind]:
                taken[row.kind] += 1
                self._start(row)

    def _told_by(self, row: JobRow) -> frozenset[int]:
        """Where a training that an earlier server started said that it computes; before it has, what it was asked for."""
        return frozenset(row.view.get("gpus") or ()) or self._asked_for(row)

    def _asked_for(self, row: JobRow) -> frozenset[int]:
        device = str(row.spec["device"])
        if device == "cpu" or not self._gpus:
            return frozenset({CPU})
        _, _, numbers = device.partition(":")
        return frozenset(int(number) for number in numbers.split(",")) if numbers else frozenset({0})

    def _free_for(self, row: JobRow, reserved: frozenset[int]) -> frozenset[int] | None:
        """Where a training can compute now; None where it has to wait."""
        busy = reserved.union(*self._held.values())
        asked = self._asked_for(row)
        if _any_gpu(row) and self._gpus:
            free = sorted(self._gpus - busy)
            return frozenset(free[:1]) or None
        return None if asked & busy else asked

    def _ready(self, row: JobRow) -> bool:
        """Whether what the job builds on is there; a job whose dataset failed ends with that reason."""
        if row.kind != "model":
            return True
        datasets = [self._catalog.get(id) for id in (row.spec["dataset"], *row.spec["more_datasets"])]
        for dataset in datasets:
            if dataset is None:
                self._fail(row, "Its dataset was deleted. Clone the model and choose another one.")
                return False
            if dataset.state in ("error", "aborted"):
                self._fail(
                    row, f"Its dataset “{dataset.name}” was not finished ({dataset.state}). Resume the dataset, then this model."
                )
                return False
        return all(dataset is not None and dataset.state == "done" for dataset in datasets)

    def _fail(self, row: JobRow, reason: str) -> None:
        self._catalog.write_end(self._catalog.folder(row.id), "error", reason)

    def _start(self, row: JobRow) -> None:
        folder = JobFolder(self._catalog.folder(row.id).path)
        with Sessions.begin() as session:
            session.get_one(JobRow, row.id).launched = True
        launcher.start(folder, self._environment(row))

    def _environment(self, row: JobRow) -> dict[str, str]:
        user_code = {launcher.USER_CODE: "1"} if self._user_code and row.kind in ("model", "test") else {}
        if row.kind != "model" or not self._gpus or CPU in self._held[row.id]:
            return user_code
        place = {launcher.GPUS: ",".join(map(str, sorted(self._held[row.id])))}
        if _any_gpu(row):
            place["CUDA_VISIBLE_DEVICES"] = ",".join(self._names[number] for number in sorted(self._held[row.id]))
        return {**place, **user_code}


def why_waits(row: JobRow, catalog: Catalog) -> str:
    """What a waiting job waits for, as far as that can be known; "" for any other job."""
    if row.state != "waiting":
        return ""
    if row.kind == "model":
        for id in (row.spec["dataset"], *row.spec["more_datasets"]):
            dataset = catalog.get(id)
            if dataset is not None and dataset.state in ("waiting", "running"):
                told = dataset.view["progress"]
                far = f", {100 * told['done'] // told['total']} % done" if told and told.get("total") else ""
                return f"Waits for its dataset “{dataset.name}” ({dataset.state}{far})."
    before = catalog.find(row.kind, frozenset({"running"}), limit=3)
    names = ", ".join(f"“{other.name}”" for other in before)
    return f"Waits for its turn: {names} {'are' if len(before) > 1 else 'is'} running." if before else "Waits for its turn."


def _any_gpu(row: JobRow) -> bool:
    """Whether any one GPU will do. Who names some by their numbers means those of the machine."""
    return row.spec["device"] in ("auto", "cuda")
