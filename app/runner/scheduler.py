"""Starts waiting jobs, in the order of the queue, when what they need is free."""

from collections import Counter

from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.catalog.queue import Queue, in_order
from app.errors import is_full
from app.runner import gpus
from app.runner.loops import every
from app.runner.warm import WarmWorkers
from app.settings import Slots
from jobs.core import launcher

INTERVAL = 0.2
CPU = -1
"""Stands beside the numbers of the GPUs for the processor."""


class Scheduler:
    """Trainings share GPUs and the processor out among them; datasets and tests work beside them. GPUs are counted from 0."""

    def __init__(
        self,
        catalog: Catalog,
        names: tuple[str, ...],
        warm: WarmWorkers,
        slots: Slots,
        user_code: bool = False,
    ) -> None:
        """`names`: the GPUs, as CUDA_VISIBLE_DEVICES names them."""
        self._catalog, self._names, self._warm, self._slots, self._user_code = (
            catalog,
            names,
            warm,
            slots,
            user_code,
        )
        self._gpus = frozenset(range(len(names)))
        self._held: dict[str, frozenset[int]] = {}
        """By the id of a training: where it computes."""
        self._taken: Counter[int] = Counter()
        """By place: how many hundredths of it are taken."""

    def run(self) -> None:
        every(INTERVAL, self.schedule, self._catalog.waits)

    def schedule(self) -> None:
        """One round: start all that can start now."""
        live = self._catalog.find(states=frozenset({"waiting", "running"}), limit=100_000)
        self._catalog.launched &= {row.id for row in live}
        occupied = [
            row for row in live if row.id in self._catalog.launched or row.state == "running"
        ]
        self._held = {
            row.id: self._held.get(row.id) or self._told_by(row)
            for row in occupied
            if row.kind == "model"
        }
        self._taken = Counter()
        for row in occupied:
            self._take(row, self._held.get(row.id, frozenset()))
        reserved: frozenset[int] = frozenset()
        beside = {"dataset": self._slots.dataset, "test": self._slots.test}
        busy = Counter(row.kind for row in occupied)
        for row in in_order([row for row in live if row not in occupied]):
            if row.id in self._catalog.aborting or not self._ready(row):
                continue
            if row.kind == "model":
                if place := self._free_for(row, reserved):
                    self._held[row.id] = place
                    self._take(row, place)
                    self._start(row)
                else:  # Those behind it in the queue do not take it away, one GPU after the other.
                    reserved |= frozenset() if _any_gpu(row) else self._asked_for(row)
            elif busy[row.kind] < beside[row.kind]:
                busy[row.kind] += 1
                self._start(row)
        self._warm.dismiss_idle()

    def _take(self, row: JobRow, places: frozenset[int]) -> None:
        self._taken.update({place: _hundredths(row, place) for place in places})

    def _told_by(self, row: JobRow) -> frozenset[int]:
        """Where a training that an earlier server started said that it computes; before it has, what it was asked for."""
        return frozenset(row.view.get("gpus") or ()) or self._asked_for(row)

    def _asked_for(self, row: JobRow) -> frozenset[int]:
        device = str(row.spec["device"])
        if device == "cpu" or not self._gpus:
            return frozenset({CPU})
        _, _, numbers = device.partition(":")
        return (
            frozenset(int(number) for number in numbers.split(",")) if numbers else frozenset({0})
        )

    def _free_for(self, row: JobRow, reserved: frozenset[int]) -> frozenset[int] | None:
        """Where a training can compute now; None where it has to wait."""
        self._catalog.held_up.pop(row.id, None)
        asked = self._asked_for(row)
        any_one = _any_gpu(row) and bool(self._gpus)
        wanted = self._gpus if any_one else asked
        roomy = [place for place in sorted(wanted - reserved) if self._has_room(row, place)]
        if not any_one and len(roomy) < len(asked):
            return None
        free = [place for place in roomy if self._is_ours(row, place)]
        if any_one and free:
            # The fullest one that has room leaves whole ones to those who need them.
            return frozenset({max(free, key=lambda place: (self._taken[place], -place))})
        if not any_one and len(free) == len(asked):
            return asked
        if others := sorted(set(roomy) - set(free)):
            names = ", ".join(f"GPU {place}" for place in others)
            self._catalog.held_up[row.id] = (
                f"{names} {'are' if len(others) > 1 else 'is'} used by other programs."
            )
        return None

    def _has_room(self, row: JobRow, place: int) -> bool:
        all_of_it = 100 * self._slots.cpu_training if place == CPU else 100
        return self._taken[place] + _hundredths(row, place) <= all_of_it

    def _is_ours(self, row: JobRow, place: int) -> bool:
        """Whether nobody but us uses a place; what our own jobs use beside others on a shared GPU cannot be told apart."""
        others = (
            place != CPU
            and not self._taken[place]
            and place in self._gpus
            and gpus.is_used(self._names[place])
        )
        return not others or Queue.model_validate(row.queue).anyway

    def _ready(self, row: JobRow) -> bool:
        """Whether what the job builds on is there; a job whose dataset failed ends with that reason."""
        if row.kind != "model":
            return True
        datasets = [
            self._catalog.get(id) for id in (row.spec["dataset"], *row.spec["more_datasets"])
        ]
        for dataset in datasets:
            if dataset is None:
                self._fail(row, "Its dataset was deleted. Clone the model and choose another one.")
                return False
            if dataset.state in ("error", "aborted"):
                self._fail(
                    row,
                    f"Its dataset “{dataset.name}” was not finished ({dataset.state}). Resume the dataset, then this model.",
                )
                return False
        return all(dataset is not None and dataset.state == "done" for dataset in datasets)

    def _fail(self, row: JobRow, reason: str) -> None:
        self._catalog.write_end(self._catalog.folder(row.id), "error", reason)

    def _start(self, row: JobRow) -> None:
        """Give a job a worker; one that lives in its folder already (somebody's, from a shell) is only followed."""
        folder = self._catalog.folder(row.id)
        try:
            # What somebody waits for, before a page, goes where torch is loaded already.
            if row.kind == "test" and row.spec["kind"] == "image":
                self._warm.start(folder, row.spec["model"])
            else:
                launcher.start(folder, self._environment(row))
        except OSError as error:
            if is_full(error):
                raise  # It goes on waiting: the next round tries again.
            self._fail(
                row,
                f"No worker could be started: {error.strerror}. Resume it when the machine has room again.",
            )
        else:
            self._catalog.launched.add(row.id)

    def _environment(self, row: JobRow) -> dict[str, str]:
        user_code = (
            {launcher.USER_CODE: "1"} if self._user_code and row.kind in ("model", "test") else {}
        )
        if row.kind != "model" or not self._gpus or CPU in self._held[row.id]:
            return user_code
        place = {launcher.GPUS: ",".join(map(str, sorted(self._held[row.id])))}
        if _any_gpu(row):
            place["CUDA_VISIBLE_DEVICES"] = ",".join(
                self._names[number] for number in sorted(self._held[row.id])
            )
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
                far = (
                    f", {100 * told['done'] // told['total']} % done"
                    if told and told.get("total")
                    else ""
                )
                return f"Waits for its dataset “{dataset.name}” ({dataset.state}{far})."
    if held_up := catalog.held_up.get(row.id):
        return f"{held_up} It waits for the end of that."
    before = catalog.find(row.kind, frozenset({"running"}), limit=3)
    names = ", ".join(f"“{other.name}”" for other in before)
    return (
        f"Waits for its turn: {names} {'are' if len(before) > 1 else 'is'} running."
        if before
        else "Waits for its turn."
    )


def _any_gpu(row: JobRow) -> bool:
    """Whether any one GPU will do. Who names some by their numbers means those of the machine."""
    return row.spec["device"] in ("auto", "cuda")


def _hundredths(row: JobRow, place: int) -> int:
    """How much of a place a training takes."""
    return 100 if place == CPU else round(100 * row.spec["gpu_share"])
