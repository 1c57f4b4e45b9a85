"""What can be done with a training after it was made: trained longer, its snapshots deleted, compared with others."""

import csv
import io
import urllib.request
from pathlib import Path

import pytest

from app.forms.comparing import differing, same_datasets
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.specs import ModelSpec
from tests.support.server import Server

Clip = tuple[Path, Path]

SMALL = {
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 2,
    "network": {"name": "srcnn-9-1-5", "maps1": 4, "maps2": 4},
}


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(clip)
    server.wait(id, "done")
    return id


def model(server: Server, dataset: str, **fields: object) -> str:
    id = server.create("/models", {"name": "m", "dataset": dataset, "epochs": 2, **SMALL, **fields})
    server.wait(id, "done")
    return id


def test_a_training_goes_on_beyond_its_end_and_has_one_curve(server: Server, dataset: str) -> None:
    id = model(server, dataset, lr_policy={"name": "exponential", "gamma": 0.1, "per": "run"})
    before = server.call(f"/jobs/{id}/scalars?keys=lr")[1]["series"]["lr"]
    assert server.call(f"/jobs/{id}/extend", {"epochs": 4})[0] == 202
    job = server.wait(id, "done")
    assert job["spec"]["epochs"] == 4
    assert JobFolder(server.home / "jobs" / id).read()["spec"]["epochs"] == 4
    after = server.call(f"/jobs/{id}/scalars?keys=lr")[1]["series"]["lr"]
    assert after["step"][: len(before["step"])] == before["step"]
    assert after["epoch"][-1] == 4
    # The rate of the longer plan, half-way: higher than that of the short one at its end.
    assert after["value"][len(before["value"])] > 2 * before["value"][-1]
    assert [one["epoch"] for one in job["summary"]["snapshots"]] == [1, 2, 3, 4]


REFUSED = [
    ({"epochs": 2}, "epochs", "It was planned for 2 epochs: give more."),
    ({"epochs": "many"}, "epochs", "Must be a whole number."),
    ({"epochs": None}, "epochs", "This is needed."),
    ({"minutes": 5}, "minutes", "The training was planned in epochs: give these."),
    ({"epochs": 5, "steps": 5}, "epochs", "Give one of epochs, steps or minutes."),
    ({"name": "x"}, "name", "Give one of epochs, steps or minutes."),
]


def test_what_is_no_longer_training_is_refused(server: Server, dataset: str) -> None:
    id = model(server, dataset)
    for asked, field, words in REFUSED:
        status, answer = server.call(f"/jobs/{id}/extend", asked)
        assert (status, answer["error"]["fields"][field]) == (422, words)
    assert server.job(id)["state"] == "done"


def test_one_that_stopped_by_itself_goes_on_when_it_is_asked_to(
    server: Server, dataset: str
) -> None:
    wild = {"solver": {"name": "sgd", "learning_rate": 1e-9}, "early_stopping": 2, "epochs": 50}
    id = model(server, dataset, **wild)
    stopped = server.job(id)["progress"]["done"]
    assert server.call(f"/jobs/{id}/extend", {"epochs": 60})[0] == 202
    server.wait(id, "done")
    assert server.job(id)["progress"]["done"] > stopped


def test_a_snapshot_is_deleted_with_its_state_and_the_best_is_another(
    server: Server, dataset: str
) -> None:
    id = model(server, dataset, epochs=3)
    summary = server.job(id)["summary"]
    best = summary["best"]["snapshot"]
    assert server.call(f"/jobs/{id}/snapshots/{best}", method="DELETE")[0] == 204
    after = server.job(id)["summary"]
    assert {one["snapshot"] for one in after["snapshots"]} == {
        one["snapshot"] for one in summary["snapshots"]
    } - {best}
    assert after["best"]["snapshot"] != best
    folder = JobFolder(server.home / "jobs" / id)
    assert not list(folder.snapshots.glob(f"{best}.*"))
    assert [event["seq"] for event in read(folder.events)] == list(
        range(1, server.job(id)["seq"] + 1)
    )
    status, answer = server.call(f"/jobs/{id}/snapshots/{best}", method="DELETE")
    assert (status, answer["error"]["message"]) == (
        409,
        f"There is no snapshot {best}: it may have been deleted before.",
    )
    # What was deleted stays so for a server that starts anew, and for a training that goes on.
    server.kill()
    server.start()
    assert server.job(id)["summary"]["best"] == after["best"]
    server.call(f"/jobs/{id}/extend", {"epochs": 4})
    assert server.wait(id, "done")["summary"]["last"]["epoch"] == 4


def test_a_snapshot_of_a_running_training_stays(server: Server, dataset: str) -> None:
    id = server.create("/models", {"name": "long", "dataset": dataset, "epochs": 100_000, **SMALL})
    name = server.wait_for(id, lambda job: "best" in job["summary"])["summary"]["last"]["snapshot"]
    status, answer = server.call(f"/jobs/{id}/snapshots/{name}", method="DELETE")
    assert status == 409
    # It may have been replaced by newer ones meanwhile; else the training holds its log.
    assert answer["error"]["message"].startswith(
        ("The training is running.", f"There is no snapshot {name}")
    )
    server.call(f"/jobs/{id}/abort", {})


def test_a_snapshot_that_somebody_waits_for_stays(server: Server, dataset: str) -> None:
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
    status, answer = server.call(f"/jobs/{id}/snapshots/{name}", method="DELETE")
    assert (status, answer["error"]["message"][:32]) == (409, "“tuned” waits to start from it. ")
    assert server.call(f"/jobs/{id}/extend", {"epochs": 3})[0] == 202
    other = next(
        one["snapshot"] for one in server.job(id)["summary"]["snapshots"] if one["snapshot"] != name
    )
    status, answer = server.call(f"/jobs/{id}/snapshots/{other}", method="DELETE")
    assert (status, answer["error"]["message"][:24]) == (409, "The training is waiting.")
    server.call(f"/jobs/{long}/abort", {})


def test_every_point_comes_as_csv(server: Server, dataset: str) -> None:
    id = model(server, dataset)
    with urllib.request.urlopen(
        f"{server.url}/api/v1/jobs/{id}/scalars.csv?keys=train/l1,val/psnr"
    ) as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="m.csv"'
        rows = list(csv.DictReader(io.TextIOWrapper(answer)))
    events = read(JobFolder(server.home / "jobs" / id).events, types=frozenset({"scalars"}))
    told = {
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
    } == told


def test_a_waiting_model_says_what_it_waits_for(server: Server, clip: Clip) -> None:
    first = server.create(
        "/models",
        {"name": "first", "dataset": server.dataset(clip, name="pairs"), "epochs": 1, **SMALL},
    )
    said = server.job(first)["waiting_for"]
    assert (
        said.startswith(("Waits for its dataset “pairs” (", "Waits for its turn."))
        or server.job(first)["state"] != "waiting"
    )
    assert server.wait(first, "done")["waiting_for"] == ""


def test_what_differs_is_told_by_the_forms_labels() -> None:
    def job(**fields: object) -> dict[str, object]:
        spec = ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh", **fields})
        return {"spec": spec.model_dump(mode="json")}

    first = job(notes="a", loss={"name": "charbonnier"}, flips=False)
    second = job(name="other", network={"name": "dncnn"}, epochs=5)
    rows = dict(
        differing(
            [first, second, job(dataset="hgfedcba", network={"name": "dncnn"})],
            {"abcdefgh": "a", "hgfedcba": "b"}.__getitem__,
        )
    )
    assert rows["Dataset"] == ["a", "a", "b"]
    assert rows["Network"] == ["SRCNN 9-1-5", "DnCNN", "DnCNN"]
    assert rows["Epochs"] == ["30", "5", "30"]
    assert rows["Flips"] == ["no", "yes", "yes"]
    assert rows["Maps of layer 1"] == ["64", "–", "–"]
    assert not {"Name", "Notes", "Batch size"} & set(rows)
    assert same_datasets([first, second])
    assert not same_datasets([first, job(more_datasets=["hgfedcba"])])


def test_a_comparison_takes_models_that_are_there(server: Server, dataset: str) -> None:
    one, two = (model(server, dataset, name=name) for name in ("one", "two"))
    page = server.page(f"/compare?ids={one},{two},nothing,{dataset}")
    assert "Compare 2 models" in page
    assert "None: they were asked for the same." in page
    assert 'name="ids"' in server.page(f"/compare?ids={one}")
    assert "one" in server.page("/compare")
