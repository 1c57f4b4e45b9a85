"""Tests of the scheduler with simulated GPUs: which training starts when, and on which GPU."""

import errno
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from app.catalog.catalog import Catalog, Refused
from app.catalog.database import JobRow, connect
from app.catalog.queue import start_order
from app.checks.training import checked_training
from app.runner import gpus as machine_gpus
from app.runner.scheduler import Scheduler, waiting_reason
from app.runner.warm import WarmWorkers
from app.settings import Settings, Slots
from app.validation_errors import Invalid
from jobs.core import launcher
from jobs.core.events import EventLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.types.fields import JobState
from jobs.specs import DatasetSpec, ModelSpec, VideoTest

SOURCE = {"kind": "folders", "input": "/a", "target": "/b"}


def no_workers() -> WarmWorkers:
    return WarmWorkers(lambda job: None, lambda: None)


class Machine:
    """A catalog on disk and a scheduler; workers are recorded, not started."""

    def __init__(self, home: Path, gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
        connect(f"sqlite:///{home / 'clearframe.db'}", home)
        self.catalog = Catalog(home)
        self.gpus = tuple(str(2 + number) for number in range(gpus))
        self.started: dict[str, dict[str, str]] = {}
        monkeypatch.setattr(launcher, "start", self._record)
        self.scheduler = Scheduler(self.catalog, self.gpus, no_workers(), Slots())
        self.dataset = self.catalog.create(
            "dataset", DatasetSpec.model_validate({"name": "d", "source": SOURCE})
        )
        self.log_state(self.dataset, "done")
        self.used_by_others: set[str] = set()
        monkeypatch.setattr(machine_gpus, "is_used", self.used_by_others.__contains__)

    def _record(self, folder: JobFolder, env: dict[str, str]) -> int:
        self.started[folder.id] = env
        return 0

    def log_state(self, id: str, state: JobState, **fields: Any) -> None:
        """Log a state as a worker does, and index it as the follower does."""
        with EventLog(self.catalog.folder(id).events) as log:
            log.append("state", state=state, reason="", **fields)
        self.catalog._index_folder(self.catalog.folder(id))

    def train(self, device: str = "auto", **fields: Any) -> str:
        spec = {"name": device, "dataset": self.dataset, "device": device, **fields}
        return self.catalog.create("model", ModelSpec.model_validate(spec))

    def starts(self, id: str) -> bool:
        self.scheduler.schedule()
        return id in self.started

    def place(self, id: str) -> str | None:
        self.scheduler.schedule()
        return self.started[id].get(launcher.GPUS) if id in self.started else None


@pytest.fixture
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(home, 2, monkeypatch)


def run(machine: Machine, id: str) -> None:
    """Start a training and log its GPUs, as its worker does."""
    place = machine.place(id)
    assert place is not None
    machine.log_state(id, "running", gpus=[int(number) for number in place.split(",")])


def test_each_training_gets_its_own_gpu_and_the_next_training_waits(machine: Machine) -> None:
    first, second, third = (machine.train() for _ in range(3))
    run(machine, first)
    run(machine, second)
    assert (
        machine.started[first]["CUDA_VISIBLE_DEVICES"],
        machine.started[second]["CUDA_VISIBLE_DEVICES"],
    ) == ("2", "3")
    assert machine.place(third) is None
    machine.log_state(first, "done")
    assert machine.place(third) == "0"


def test_a_new_server_knows_the_gpus_of_running_trainings(machine: Machine) -> None:
    first, second = machine.train(), machine.train()
    run(machine, first)
    run(machine, second)
    machine.log_state(first, "done")
    machine.scheduler = Scheduler(machine.catalog, machine.gpus, no_workers(), Slots())
    assert machine.place(machine.train()) == "0"


def test_later_trainings_do_not_overtake_one_that_waits_for_several_gpus(machine: Machine) -> None:
    small = machine.train("cuda:0")
    run(machine, small)
    both, late = machine.train("cuda:0,1"), machine.train("cuda:1")
    assert (machine.place(both), machine.place(late)) == (None, None)
    machine.log_state(small, "done")
    assert machine.place(both) == "0,1"
    assert machine.started[both]["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_a_training_on_the_cpu_runs_in_parallel_with_the_gpus(machine: Machine) -> None:
    run(machine, machine.train("cuda:0"))
    cpu = machine.train("cpu")
    machine.scheduler.schedule()
    assert machine.started[cpu] == {}


def test_a_model_waits_for_all_its_datasets_and_fails_if_one_fails(machine: Machine) -> None:
    other = machine.catalog.create(
        "dataset", DatasetSpec.model_validate({"name": "other", "source": SOURCE})
    )
    model = machine.train(more_datasets=[other])
    assert machine.place(model) is None
    machine.log_state(other, "running")
    machine.log_state(other, "error")
    assert machine.place(model) is None
    catalog = machine.catalog
    catalog._index_folder(catalog.folder(model))
    failed = catalog.get(model)
    assert failed is not None
    assert failed.state == "error"
    assert "“other” is not finished (state: error)" in failed.view["reason"]


def test_user_code_may_run_in_tests_and_not_in_datasets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(home, 0, monkeypatch)
    scheduler = Scheduler(machine.catalog, (), no_workers(), Slots(), user_code=True)
    environments = {
        kind: scheduler._environment(JobRow(id="x", kind=kind, spec={}))
        for kind in ("dataset", "test")
    }
    assert environments == {"dataset": {}, "test": {launcher.USER_CODE: "1"}}


def test_missing_gpus_are_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.checks.training.gpus.names", lambda: ("0", "1"))
    spec = ModelSpec.model_validate({"name": "m", "dataset": machine.dataset, "device": "cuda:2"})
    with pytest.raises(Invalid, match="no GPU 2: it has 2"):
        checked_training(
            spec, machine.catalog.get, Settings(home=machine.catalog.home, data_roots=(Path("/"),))
        )


def test_a_gpu_may_be_named_only_once() -> None:
    with pytest.raises(ValueError, match="name each GPU once"):
        ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", "device": "cuda:0,0"})


def test_trainings_with_a_share_share_a_gpu_and_a_training_without_waits(
    machine: Machine,
) -> None:
    run(machine, machine.train("cuda:1"))
    first, second, third = (machine.train(gpu_share=share) for share in (0.5, 0.4, 0.2))
    run(machine, first)
    run(machine, second)
    assert [machine.started[id][launcher.GPUS] for id in (first, second)] == ["0", "0"]
    without_share = machine.train()
    assert (machine.place(third), machine.place(without_share)) == (None, None)
    machine.log_state(second, "done")
    assert (machine.place(third), machine.place(without_share)) == ("0", None)


def test_a_training_waits_for_a_gpu_that_others_use_unless_it_may_start_anyway(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.used_by_others |= set(machine.gpus)
    id = machine.train()
    assert machine.place(id) is None
    row = machine.catalog.get(id)
    assert row is not None
    assert (
        waiting_reason(row, machine.catalog)
        == "GPU 0, GPU 1 are used by other programs. Waiting for them to finish."
    )
    monkeypatch.setattr(machine_gpus, "users", lambda name: f"python {name}")
    assert machine.place(id) is None
    assert (
        waiting_reason(row, machine.catalog)
        == "GPU 0, GPU 1 are used by other programs: python 2, python 3. "
        "Waiting for them to finish."
    )
    machine.used_by_others.discard(machine.gpus[1])
    assert machine.place(id) == "1"
    on_gpu_0 = machine.train("cuda:0")
    assert machine.place(on_gpu_0) is None
    machine.catalog.queue(on_gpu_0, anyway=True)
    assert machine.place(on_gpu_0) == "0"


def video_test(machine: Machine) -> str:
    spec = {"kind": "video", "name": "t", "model": machine.dataset, "video": "/a.mp4"}
    return machine.catalog.create("test", VideoTest.model_validate(spec))


def test_a_test_runs_next_to_trainings_on_the_gpu_with_most_memory(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_gpus, "roomiest", lambda: "3")
    run(machine, machine.train("cuda:0"))
    test = video_test(machine)
    assert machine.starts(test)
    assert machine.started[test] == {"CUDA_VISIBLE_DEVICES": "3", launcher.GPUS: "1"}
    # What the test uses there are no other programs, for this server and for the next one.
    machine.used_by_others |= set(machine.gpus)
    machine.log_state(test, "running", gpus=[1])
    machine.scheduler = Scheduler(machine.catalog, machine.gpus, no_workers(), Slots())
    assert machine.place(machine.train()) == "1"


def test_a_test_runs_on_the_cpu_if_no_gpu_has_room(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_gpus, "roomiest", lambda: "")
    test = video_test(machine)
    assert machine.starts(test)
    assert machine.started[test] == {"CUDA_VISIBLE_DEVICES": ""}


def test_idle_warm_workers_leave_the_gpu_of_a_training_and_are_no_other_programs(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dismissed: list[str] = []
    monkeypatch.setattr(WarmWorkers, "gpus", lambda self: {"3"})
    monkeypatch.setattr(WarmWorkers, "dismiss_idle_on", lambda self, names: dismissed.extend(names))
    machine.used_by_others |= set(machine.gpus)
    assert machine.place(machine.train()) == "1"
    assert dismissed == ["3"]


def test_a_job_of_a_higher_priority_starts_first(machine: Machine) -> None:
    assert machine.starts(machine.train("cpu"))
    early, late = machine.train("cpu"), machine.train("cpu")
    machine.catalog.queue(late, priority=5)
    machine.log_state(next(iter(machine.started)), "done")
    assert (machine.starts(late), machine.starts(early)) == (True, False)
    with pytest.raises(Refused, match="no longer waiting"):
        machine.catalog.queue(late, priority=1)


def test_a_waiting_job_can_be_moved_before_another_and_to_the_end(machine: Machine) -> None:
    assert machine.starts(machine.train("cpu"))
    a, b, c = (machine.train("cpu") for _ in range(3))

    def order() -> list[str]:
        rows = machine.catalog.find(states=frozenset({"waiting"}))
        return [row.id for row in start_order(rows) if row.id not in machine.started]

    machine.catalog.move(c, a)
    assert order() == [c, a, b]
    machine.catalog.move(c, b)
    assert order() == [a, c, b]
    machine.catalog.move(a, None)
    assert order() == [c, b, a]
    machine.catalog.queue(b, priority=3)
    machine.catalog.move(a, b)
    assert order() == [a, b, c]
    last = machine.train("cpu")
    assert order() == [a, b, c, last]
    with pytest.raises(Refused):
        machine.catalog.move(a, "unknown")
    # The order is stored in the folders: another server with another database has the same order.
    connect(f"sqlite:///{machine.catalog.home / 'other.db'}", machine.catalog.home)
    machine.catalog.synchronize()
    assert order() == [a, b, c, last]


def test_slots_limit_the_jobs_that_run_at_a_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(home, 0, monkeypatch)
    machine.scheduler = Scheduler(
        machine.catalog, (), no_workers(), Slots(dataset=1, cpu_training=2)
    )
    trainings = [machine.train() for _ in range(3)]
    spec = DatasetSpec.model_validate({"name": "d", "source": SOURCE})
    datasets = [machine.catalog.create("dataset", spec) for _ in range(2)]
    machine.scheduler.schedule()
    assert list(machine.started) == [*trainings[:2], datasets[0]]


def test_a_worker_that_cannot_be_started_fails_its_job(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(folder: JobFolder, env: dict[str, str]) -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(launcher, "start", no_room)
    id = machine.train()
    machine.scheduler.schedule()
    assert last_state(machine.catalog.folder(id).events) == {
        "seq": 2,
        "time": ANY,
        "type": "state",
        "state": "error",
        "reason": "The worker could not be started: Resource temporarily unavailable. "
        "Resume the job when the machine has free resources.",
    }
