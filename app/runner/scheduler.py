"""Starts waiting jobs in queue order when the resources that they need are free."""

from collections import Counter
from collections.abc import Callable

from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.catalog.queue import Queue, start_order
from app.runner import gpus
from app.runner.loops import repeat
from app.runner.warm import WarmWorkers
from app.settings import Slots
from app.temporary_failures import is_full
from jobs.core import launcher

INTERVAL = 0.2
CPU = -1
"""Pseudo GPU index that stands for the CPU."""


class Scheduler:
    """Assigns GPUs or the CPU to trainings, and slots to datasets and tests.

    A place is a GPU index, from 0, or CPU.
    """

    def __init__(
        self,
        catalog: Catalog,
        names: tuple[str, ...],
        warm: WarmWorkers,
        slots: Slots,
        user_code: bool = False,
        on_start: Callable[[], object] = lambda: None,
    ) -> None:
        """`names`: the names of the GPUs, as in CUDA_VISIBLE_DEVICES. Calls `on_start()` for each
        worker that it starts."""
        self._on_start = on_start
        self._catalog, self._names, self._warm, self._slots, self._user_code = (
            catalog,
            names,
            warm,
            slots,
            user_code,
        )
        self._gpus = frozenset(range(len(names)))
        self._places: dict[str, frozenset[int]] = {}
        """By the id of a training or test with a worker: its places."""
        self._taken: Counter[int] = Counter()
        """By place: the percentage that trainings use. 0 where only tests run."""

    def run(self) -> None:
        repeat(INTERVAL, self.schedule, self._catalog.job_queued)

    def schedule(self) -> None:
        """Do one round: start all jobs that can start now."""
        live = self._catalog.live()
        self._catalog.launched &= {row.id for row in live}
        occupied = [
            row for row in live if row.id in self._catalog.launched or row.state == "running"
        ]
        self._places = {
            row.id: self._places.get(row.id) or self._reported_places(row)
            for row in occupied
            if row.kind != "dataset"
        }
        self._taken = Counter()
        for row in occupied:
            self._take(row, self._places.get(row.id, frozenset()))
        reserved: frozenset[int] = frozenset()
        slots = {"dataset": self._slots.dataset, "test": self._slots.test}
        busy = Counter(row.kind for row in occupied)
        for row in start_order([row for row in live if row not in occupied]):
            if row.id in self._catalog.aborting or not self._ready(row):
                continue
            if row.kind == "model":
                if places := self._free_for(row, reserved):
                    self._places[row.id] = places
                    self._take(row, places)
                    self._warm.dismiss_idle_on(self._names_of(places))
                    self._start(row)
                else:  # Otherwise later trainings could take its GPUs one by one, forever.
                    reserved |= frozenset() if _any_gpu(row) else self._requested_places(row)
            elif busy[row.kind] < slots[row.kind]:
                busy[row.kind] += 1
                if row.kind == "test" and not _is_warm(row):
                    self._places[row.id] = self._place_of_test()
                    self._take(row, self._places[row.id])
                self._start(row)
        self._warm.dismiss_idle()

    def _take(self, row: JobRow, places: frozenset[int]) -> None:
        self._taken.update({place: _percent(row, place) for place in places})

    def _reported_places(self, row: JobRow) -> frozenset[int]:
        """The GPUs in the log of a job that an earlier server started.

        Before the worker of a training has logged them: the requested places.
        """
        reported = frozenset(row.view.get("gpus") or ())
        return reported or (self._requested_places(row) if row.kind == "model" else frozenset())

    def _place_of_test(self) -> frozenset[int]:
        """The GPU with most free memory, or the CPU if none has room for a test."""
        name = gpus.roomiest()
        return frozenset({self._names.index(name) if name in self._names else CPU})

    def _names_of(self, places: frozenset[int]) -> list[str]:
        return [self._names[place] for place in sorted(places & self._gpus)]

    def _requested_places(self, row: JobRow) -> frozenset[int]:
        device = str(row.spec["device"])
        if device == "cpu" or not self._gpus:
            return frozenset({CPU})
        _, _, numbers = device.partition(":")
        return (
            frozenset(int(number) for number in numbers.split(",")) if numbers else frozenset({0})
        )

    def _free_for(self, row: JobRow, reserved: frozenset[int]) -> frozenset[int] | None:
        """The places where a training can run now; None if it has to wait."""
        self._catalog.blocked.pop(row.id, None)
        requested = self._requested_places(row)
        any_gpu = _any_gpu(row) and bool(self._gpus)
        candidates = self._gpus if any_gpu else requested
        roomy = [place for place in sorted(candidates - reserved) if self._has_room(row, place)]
        if not any_gpu and len(roomy) < len(requested):
            return None
        free = [place for place in roomy if self._is_available(row, place)]
        if any_gpu and free:
            # Fill the fullest GPU first: empty GPUs stay free for trainings that need a whole GPU.
            return frozenset({max(free, key=lambda place: (self._taken[place], -place))})
        if not any_gpu and len(free) == len(requested):
            return requested
        if others := sorted(set(roomy) - set(free)):
            names = ", ".join(f"GPU {place}" for place in others)
            verb = "are" if len(others) > 1 else "is"
            programs = ", ".join(filter(None, map(gpus.users, self._names_of(frozenset(others)))))
            detail = f": {programs}" if programs else ""
            self._catalog.blocked[row.id] = f"{names} {verb} used by other programs{detail}."
        return None

    def _has_room(self, row: JobRow, place: int) -> bool:
        capacity = 100 * self._slots.cpu_training if place == CPU else 100
        return self._taken[place] + _percent(row, place) <= capacity

    def _is_available(self, row: JobRow, place: int) -> bool:
        """Whether a training may use a place: no other program does, or the user accepts that.

        Checks only GPUs without a job of this server: elsewhere, the memory that other programs use
        cannot be distinguished from the job's.
        """
        used_by_others = (
            place != CPU
            and place not in self._taken
            and place in self._gpus
            and self._names[place] not in self._warm.gpus()
            and gpus.is_used(self._names[place])
        )
        return not used_by_others or Queue.model_validate(row.queue).anyway

    def _ready(self, row: JobRow) -> bool:
        """Whether the datasets of a training are done. Fails the job if a dataset failed."""
        if row.kind != "model":
            return True
        datasets = [
            self._catalog.get(id) for id in (row.spec["dataset"], *row.spec["more_datasets"])
        ]
        for dataset in datasets:
            if dataset is None:
                self._fail(
                    row, "Its dataset was deleted. Clone the model and choose another dataset."
                )
                return False
            if dataset.state in ("error", "aborted"):
                self._fail(
                    row,
                    f"Its dataset “{dataset.name}” is not finished (state: {dataset.state}). "
                    "Resume the dataset, then this model.",
                )
                return False
        return all(dataset is not None and dataset.state == "done" for dataset in datasets)

    def _fail(self, row: JobRow, reason: str) -> None:
        self._catalog.write_end(self._catalog.folder(row.id), "error", reason)

    def _start(self, row: JobRow) -> None:
        """Start a worker for a job, unless a worker that was started from a shell already runs."""
        folder = self._catalog.folder(row.id)
        try:
            # A user waits for the test of one image: a warm worker has torch loaded.
            if _is_warm(row):
                self._warm.start(folder, row.spec["model"] or row.spec["starter"])
            else:
                launcher.start(folder, self._environment(row))
        except OSError as error:
            if is_full(error):
                raise  # The job keeps waiting; the next round retries.
            self._fail(
                row,
                f"The worker could not be started: {error.strerror}. "
                "Resume the job when the machine has free resources.",
            )
        else:
            self._catalog.launched.add(row.id)
            self._on_start()

    def _environment(self, row: JobRow) -> dict[str, str]:
        user_code = (
            {launcher.USER_CODE: "1"} if self._user_code and row.kind in ("model", "test") else {}
        )
        if row.kind == "dataset" or not self._gpus:
            return user_code
        places = self._places[row.id]
        if CPU in places:  # A test without a GPU must not look for one.
            return user_code if row.kind == "model" else {**user_code, gpus.VISIBLE: ""}
        return {
            launcher.GPUS: ",".join(map(str, sorted(places))),
            gpus.VISIBLE: ",".join(self._names_of(places)),
            **user_code,
        }


def waiting_reason(row: JobRow, catalog: Catalog) -> str:
    """The reason why a job waits, as far as it is known; "" for a job that is not waiting."""
    if row.state != "waiting":
        return ""
    if row.kind == "model":
        for id in (row.spec["dataset"], *row.spec["more_datasets"]):
            dataset = catalog.get(id)
            if dataset is not None and dataset.state in ("waiting", "running"):
                progress = dataset.view["progress"]
                percent = (
                    f", {100 * progress['done'] // progress['total']} % done"
                    if progress and progress["total"]
                    else ""
                )
                return f"Waiting for its dataset “{dataset.name}” ({dataset.state}{percent})."
    if blocked := catalog.blocked.get(row.id):
        return f"{blocked} Waiting for them to finish."
    running = catalog.find(row.kind, frozenset({"running"}), limit=3)
    names = ", ".join(f"“{other.name}”" for other in running)
    return (
        f"Waiting for its turn: {names} {'are' if len(running) > 1 else 'is'} running."
        if running
        else "Waiting for its turn."
    )


def _any_gpu(row: JobRow) -> bool:
    """True if any GPU is acceptable. Explicit indices refer to physical GPUs."""
    return row.spec["device"] in ("auto", "cuda")


def _is_warm(row: JobRow) -> bool:
    """True for the test of one image: it runs in a warm worker, whose GPU `warm` chooses."""
    return row.kind == "test" and row.spec["kind"] == "image"


def _percent(row: JobRow, place: int) -> int:
    """The percentage of a place that a job takes. Tests run next to trainings."""
    if row.kind == "test":
        return 0
    return 100 if place == CPU else round(100 * row.spec["gpu_share"])
