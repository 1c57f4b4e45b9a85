"""Actions on models after their creation: extension, deletion of snapshots, comparison."""

import csv
import io
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from app.forms.comparing import compared_settings, same_datasets
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.specs import ModelSpec
from tests.support.server import Server

Clip = tuple[Path, Path]

SMALL = {
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 2,
    "validation_interval": 1,  # Without it, a slow machine would leave validations out.
    "network": {"name": "srcnn-9-1-5", "maps1": 4, "maps2": 4},
}


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(clip)
    server.wait(id, "done")
    return id


def names(summary: dict[str, Any]) -> set[str]:
    return {snapshot["snapshot"] for snapshot in summary["snapshots"]}


def model(server: Server, dataset: str, **fields: object) -> str:
    id = server.create("/models", {"name": "m", "dataset": dataset, "epochs": 2, **SMALL, **fields})
    server.wait(id, "done")
    return id


def test_an_extended_training_continues_its_curve(server: Server, dataset: str) -> None:
    id = model(server, dataset, lr_policy={"name": "exponential", "gamma": 0.1, "per": "run"})
    before = server.call(f"/jobs/{id}/scalars?keys=lr")[1]["series"]["lr"]
    assert server.call(f"/jobs/{id}/extend", {"epochs": 4})[0] == 202
    job = server.wait(id, "done")
    assert job["spec"]["epochs"] == 4
    assert JobFolder(server.home / "jobs" / id).read()["spec"]["epochs"] == 4
    after = server.call(f"/jobs/{id}/scalars?keys=lr")[1]["series"]["lr"]
    assert after["step"][: len(before["step"])] == before["step"]
    assert after["epoch"][-1] == 4
    # Half-way through the longer plan, the rate is higher than at the end of the short plan.
    assert after["value"][len(before["value"])] > 2 * before["value"][-1]
    assert [snapshot["epoch"] for snapshot in job["summary"]["snapshots"]] == [1, 2, 3, 4]


REGION = {"left": 8, "top": 0, "width": 32, "height": 64}
NO_PINS = [
    ({}, "pair", "This field is required."),
    ({"pair": True}, "pair", "Must be a whole number."),
    ({"pair": -1}, "pair", "Must be at least 0."),
    ({"pair": 9}, "pair", "The validation pair 9 does not exist. Choose a pair from 0 to 1."),
    (
        {"pair": 0, "region": {**REGION, "left": 80}},
        "region.width",
        "The frame has a width of 96 px, but the region ends at 112. Give a smaller left or width.",
    ),
    ({"pair": 0, "region": {**REGION, "height": 3}}, "region.height", "Must be at least 16."),
]


def test_samples_are_pinned_and_unpinned(server: Server, dataset: str) -> None:
    id = model(server, dataset, epochs=1)
    path = f"/models/{id}/samples"
    for values, field, message in NO_PINS:
        status, body = server.call(path, values)
        assert (status, body["error"]["fields"][field]) == (422, message)
    assert server.call(path) == (200, {"samples": []})
    first = server.call(path, {"pair": 1, "region": REGION})
    assert first == (201, {"index": 100, "pair": 1, "region": REGION})
    for _ in range(3):
        assert server.call(path, {"pair": 0})[0] == 201
    status, body = server.call(path, {"pair": 0})
    assert (status, "Unpin one" in body["error"]["message"]) == (422, True)
    assert server.call(f"{path}/103", method="DELETE")[0] == 204
    assert server.call(f"{path}/103", method="DELETE")[0] == 404
    assert server.call(path, {"pair": 0})[1]["index"] == 104
    server.restart()
    assert [sample["index"] for sample in server.call(path)[1]["samples"]] == [100, 101, 102, 104]
    assert server.call(f"/jobs/{id}/extend", {"epochs": 2})[0] == 202
    samples = server.wait(id, "done")["summary"]["samples"]
    assert [(sample["index"], sample["pair"]) for sample in samples[-4:]] == [
        (100, 1),
        (101, 0),
        (102, 0),
        (104, 0),
    ]


REFUSED = [
    ({"epochs": 2}, "epochs", "The training was planned for 2 epochs. Give a larger number."),
    ({"epochs": "many"}, "epochs", "Must be a whole number."),
    ({"epochs": None}, "epochs", "This field is required."),
    (
        {"minutes": 5},
        "minutes",
        "The training was planned in epochs. Give its new length in epochs.",
    ),
    ({"epochs": 5, "steps": 5}, "epochs", "Give exactly one of epochs, steps or minutes."),
    ({"name": "x"}, "name", "Give exactly one of epochs, steps or minutes."),
]


def test_invalid_extensions_are_refused(server: Server, dataset: str) -> None:
    id = model(server, dataset)
    for values, field, message in REFUSED:
        status, body = server.call(f"/jobs/{id}/extend", values)
        assert (status, body["error"]["fields"][field]) == (422, message)
    assert server.job(id)["state"] == "done"


def test_a_training_that_stopped_early_can_be_extended(server: Server, dataset: str) -> None:
    wild = {"solver": {"name": "sgd", "learning_rate": 1e-9}, "early_stopping": 2, "epochs": 50}
    id = model(server, dataset, **wild)
    stopped = server.job(id)["progress"]["done"]
    assert server.call(f"/jobs/{id}/extend", {"epochs": 60})[0] == 202
    server.wait(id, "done")
    assert server.job(id)["progress"]["done"] > stopped


def test_deleting_the_best_snapshot_also_deletes_its_state_and_selects_another_best(
    server: Server, dataset: str
) -> None:
    id = model(server, dataset, epochs=3)
    summary = server.job(id)["summary"]
    best = summary["best"]["snapshot"]
    assert server.call(f"/jobs/{id}/snapshots/{best}", method="DELETE")[0] == 204
    after = server.job(id)["summary"]
    assert names(after) == names(summary) - {best}
    assert after["best"]["snapshot"] != best
    folder = JobFolder(server.home / "jobs" / id)
    assert not list(folder.snapshots.glob(f"{best}.*"))
    assert [event["seq"] for event in read(folder.events)] == list(
        range(1, server.job(id)["seq"] + 1)
    )
    status, body = server.call(f"/jobs/{id}/snapshots/{best}", method="DELETE")
    assert (status, body["error"]["message"]) == (
        409,
        f"Snapshot {best} does not exist. It may have been deleted already.",
    )
    # The snapshot stays deleted after a restart of the server and in an extended training.
    server.kill()
    server.start()
    assert server.job(id)["summary"]["best"] == after["best"]
    server.call(f"/jobs/{id}/extend", {"epochs": 4})
    assert server.wait(id, "done")["summary"]["last"]["epoch"] == 4


def test_a_snapshot_of_a_running_training_cannot_be_deleted(server: Server, dataset: str) -> None:
    id = server.create("/models", {"name": "long", "dataset": dataset, "epochs": 100_000, **SMALL})
    name = server.wait_for(id, lambda job: "best" in job["summary"])["summary"]["last"]["snapshot"]
    status, body = server.call(f"/jobs/{id}/snapshots/{name}", method="DELETE")
    assert status == 409
    # A newer snapshot may have replaced it by now. Otherwise the running training refuses.
    assert body["error"]["message"].startswith(
        ("The training is running.", f"Snapshot {name} does not exist.")
    )
    server.call(f"/jobs/{id}/abort", {})


def test_a_snapshot_that_a_waiting_job_needs_cannot_be_deleted(
    server: Server, dataset: str
) -> None:
    id = model(server, dataset)
    name = server.job(id)["summary"]["best"]["snapshot"]
    long = server.create(
        "/models", {"name": "long", "dataset": dataset, "epochs": 100_000, **SMALL}
    )
    server.wait_for(long, lambda job: job["state"] == "running")
    server.create(
        "/models",
        {
            "name": "tuned",
            "dataset": dataset,
            "epochs": 1,
            **SMALL,
            "start_from": id,
            "start_snapshot": name,
        },
    )
    status, body = server.call(f"/jobs/{id}/snapshots/{name}", method="DELETE")
    assert (status, body["error"]["message"][:32]) == (409, "“tuned” is waiting to start from")
    assert server.call(f"/jobs/{id}/extend", {"epochs": 3})[0] == 202
    other = (names(server.job(id)["summary"]) - {name}).pop()
    status, body = server.call(f"/jobs/{id}/snapshots/{other}", method="DELETE")
    assert (status, body["error"]["message"][:24]) == (409, "The training is waiting.")
    server.call(f"/jobs/{long}/abort", {})


def test_scalars_csv_has_every_logged_point(server: Server, dataset: str) -> None:
    id = model(server, dataset)
    with urllib.request.urlopen(
        f"{server.url}/api/v1/jobs/{id}/scalars.csv?keys=train/l1,val/psnr", timeout=120
    ) as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="m.csv"'
        rows = list(csv.DictReader(io.TextIOWrapper(response)))
    events = read(JobFolder(server.home / "jobs" / id).events, types=frozenset({"scalars"}))
    logged = {
        (key, event["step"]): value
        for event in events
        for key, value in event["scalars"].items()
        if key in ("train/l1", "val/psnr")
    }
    assert {
        (key, int(row["step"])): float(row[key])
        for row in rows
        for key in ("train/l1", "val/psnr")
        if row[key]
    } == logged


def test_a_waiting_model_reports_its_reason(server: Server, clip: Clip) -> None:
    first = server.create(
        "/models",
        {"name": "first", "dataset": server.dataset(clip, name="pairs"), "epochs": 1, **SMALL},
    )
    reason = server.job(first)["waiting_for"]
    assert (
        reason.startswith(("Waiting for its dataset “pairs” (", "Waiting for its turn."))
        or server.job(first)["state"] != "waiting"
    )
    assert server.wait(first, "done")["waiting_for"] == ""


def test_compared_settings_have_the_labels_of_the_form() -> None:
    def job(**fields: object) -> dict[str, object]:
        spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", **fields})
        return {"spec": spec.model_dump(mode="json")}

    first = job(notes="a", loss={"name": "charbonnier"}, flips=False)
    second = job(name="other", network={"name": "dncnn"}, epochs=5)
    settings = compared_settings(
        [first, second, job(dataset="hgfedcba", network={"name": "dncnn"})],
        {"abcdefgh": "a", "hgfedcba": "b"}.__getitem__,
    )
    rows = {setting.label: setting.values for setting in settings if setting.differs}
    same = {setting.label: setting.values for setting in settings if not setting.differs}
    assert same["Batch size"] == ["16", "16", "16"]
    assert rows["Dataset"] == ["a", "a", "b"]
    assert rows["Network"] == ["SRCNN 9-1-5", "DnCNN", "DnCNN"]
    assert rows["Epochs"] == ["30", "5", "30"]
    assert rows["Flips"] == ["no", "yes", "yes"]
    assert rows["Maps of layer 1"] == ["64", "–", "–"]
    assert not {"Name", "Notes", "Batch size"} & set(rows)
    assert same_datasets([first, second])
    assert not same_datasets([first, job(more_datasets=["hgfedcba"])])


def test_a_comparison_skips_unknown_ids_and_other_kinds(server: Server, dataset: str) -> None:
    first, second = (model(server, dataset, name=name) for name in ("one", "two"))
    page = server.page(f"/compare?ids={first},{second},nothing,{dataset}")
    assert "Compare 2 models" in page
    assert "None. If all settings are equal, results differ by chance" in page
    assert 'name="ids"' in server.page(f"/compare?ids={first}")
    assert "one" in server.page("/compare")
