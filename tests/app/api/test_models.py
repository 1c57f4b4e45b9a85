"""Tests of the model routes: refused trainings, sweeps, and resuming from a chosen snapshot."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from app.checks import sweeps
from app.validation_errors import Invalid
from tests.conftest import Clip
from tests.support.server import Server

SMALL = {
    "epochs": 1,
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 1,
    "network": {"maps1": 8, "maps2": 4},
}


def refused(server: Server, **values: Any) -> dict[str, str]:
    status, response = server.call("/models", {"name": "m", **SMALL, **values})
    assert status == 422, response
    fields: dict[str, str] = response["error"]["fields"]
    return fields


def _check_start_files(server: Server, dataset: str, folder: Path) -> None:
    file = folder / "start.pth"
    torch.save({"conv1.bias": torch.zeros(8), "other": torch.zeros(1)}, file)
    training = {**SMALL, "dataset": dataset, "start_file": str(file)}
    status, answer = server.call("/models/start-file", training)
    assert (status, answer["sentences"][0]) == (
        200,
        "Starts from start.pth: 1 of 6 weights taken: conv1.bias.",
    )
    assert answer["sentences"][-1].endswith("no such weight: other.")
    file.write_text("no weights")
    for start_file, sentence in ((str(file), "cannot be read as weights"), (None, "Give a file")):
        status, answer = server.call("/models/start-file", {**training, "start_file": start_file})
        assert (status, list(answer["error"]["fields"])) == (422, ["start_file"])
        assert sentence in answer["error"]["message"]


def test_wrong_trainings_are_refused_with_an_error_at_the_field(
    server: Server, clip: Clip, tmp_path: Path
) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    code = tmp_path / "net.py"
    code.write_text("def network(channels): ...")
    assert refused(server, dataset="abcdefgh") == {
        "dataset": "This dataset does not exist. Choose another dataset."
    }
    assert refused(server, dataset=dataset, more_datasets=["abcdefgh"]) == {
        "more_datasets": "This dataset does not exist. Choose another dataset."
    }
    assert refused(server, dataset=dataset, patch_size=96) == {
        "patch_size": "The smallest frame side of “clip” is 64 px. Enter at most 64."
    }
    assert refused(server, dataset=dataset, start_from="abcdefgh") == {
        "start_from": "This model does not exist. Choose another model."
    }
    assert refused(server, dataset=dataset, start_file=str(code)) == {
        "start_file": "net.py is not a file of weights. Give one with the extension .safetensors, "
        ".pth, .pt, .ckpt or .bin."
    }
    assert "does not exist" in refused(server, dataset=dataset, start_file="no.pth")["start_file"]
    _check_start_files(server, dataset, clip[0].parent)
    assert (
        "--allow-user-code"
        in refused(server, dataset=dataset, network={"name": "python", "file": str(code)})[
            "network.file"
        ]
    )
    assert (
        "--allow-user-code"
        in refused(server, dataset=dataset, loss={"name": "python", "file": str(code)})["loss.file"]
    )
    network = {"name": "package", "entry": "nobody.has.it"}
    message = refused(server, dataset=dataset, network=network)["network.entry"]
    assert (
        message == "No installed package has the entry point nobody.has.it in clearframe.networks. "
        "Available: none."
    )
    plain = {"name": "srcnn-9-1-5", "start": "starter"}
    for network, more in (
        ({"name": "ecbnet", "start": "starter", "maps": "8"}, {}),
        ({**plain, "skip": "off"}, {}),
        ({**plain, "maps1": "32"}, {}),
        (plain, {"channels": "rgb"}),
    ):
        message = refused(server, dataset=dataset, network=network, **more)["network.start"]
        assert message.startswith("No starter has this shape. Train Y alone with ")
    network = {"name": "ecbnet", "start": "starter"}
    assert refused(server, dataset=dataset, network=network, mean_subtraction="pixel") == {
        "mean_subtraction": "Starters were trained without this. Choose none."
    }
    assert refused(server, dataset=dataset, epochs=1, minutes=1) == {
        "epochs": "Give epochs, steps or minutes, not several of them."
    }
    assert set(refused(server, dataset=dataset, sweep="No id")) == {"sweep"}
    assert refused(server, dataset=dataset, solver={"learning_rate": "0.1, fast"}) == {
        "solver.learning_rate": "Must be a number."
    }


def test_a_sweep_creates_a_job_per_rate_and_batch_size_with_one_page(
    server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    values = {
        **SMALL,
        "name": "try",
        "dataset": dataset,
        "solver": {"learning_rate": "0.001, 0.0003"},
        "batch_size": "8 16",
    }
    status, response = server.call("/models", values)
    assert (status, len(response["ids"])) == (201, 4)
    for id in response["ids"]:
        server.wait(id, "done")
    jobs = [server.call(f"/jobs/{id}")[1] for id in response["ids"]]
    assert [
        (job["spec"]["solver"]["learning_rate"], job["spec"]["batch_size"]) for job in jobs
    ] == [
        (0.001, 8),
        (0.001, 16),
        (0.0003, 8),
        (0.0003, 16),
    ]
    assert {job["spec"]["sweep"] for job in jobs} == {response["sweep"]}
    page = server.page(f"/sweeps/{response['sweep']}")
    assert all(f'href="/models/{id}"' in page for id in response["ids"])
    assert page.count("try · rate 0.0003, batch 16") >= 1


def test_one_rate_is_no_sweep(server: Server, clip: Clip) -> None:
    status, response = server.call(
        "/models", {**SMALL, "name": "m", "dataset": server.dataset(clip), "batch_size": "8"}
    )
    assert (status, response["ids"], response["sweep"]) == (201, [response["id"]], "")


def test_a_sweep_is_bounded_and_does_not_change_its_input() -> None:
    values = {"name": "m", "solver": {"name": "sgd", "learning_rate": "1,2"}, "batch_size": 4}
    before = json.dumps(values)
    first, second = sweeps.expand(values)
    assert json.dumps(values) == before
    assert (first["solver"], second["solver"]) == (
        {"name": "sgd", "learning_rate": "1"},
        {"name": "sgd", "learning_rate": "2"},
    )
    with pytest.raises(Invalid, match="The values make 60 trainings"):
        sweeps.expand({"batch_size": ",".join(map(str, range(1, 61)))})


def test_a_sweep_without_a_name_gets_no_name() -> None:
    assert ["name" in values for values in sweeps.expand({"batch_size": "1, 2"})] == [False, False]


def test_an_aborted_training_resumes_from_the_chosen_snapshot(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    model = server.create(
        "/models", {**SMALL, "name": "m", "dataset": dataset, "epochs": 400, "keep": 1000}
    )
    server.wait_for(model, lambda job: len(job["summary"].get("snapshots", [])) >= 3)
    assert server.call(f"/jobs/{model}/resume", {"snapshot": "epoch-0001"})[0] == 409
    server.call(f"/jobs/{model}/abort", {})
    server.wait(model, "aborted")
    status, response = server.call(f"/jobs/{model}/resume", {"snapshot": "epoch-9999"})
    assert (status, "Snapshot epoch-9999 does not exist." in response["error"]["message"]) == (
        409,
        True,
    )
    assert server.call(f"/jobs/{model}/resume", {"speed": 1})[0] == 422
    assert server.call(f"/jobs/{model}/resume", {"snapshot": "epoch-0001"})[0] == 202
    (resumed,) = server.wait_for_events(model, "resumed")
    assert resumed["step"] == 3
    server.call(f"/jobs/{model}/abort", {})
    server.wait(model, "aborted")


def test_a_python_file_trains_if_the_server_allows_user_code(
    server: Server, clip: Clip, tmp_path: Path
) -> None:
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    server.options = ["--allow-user-code"]
    server.start()
    dataset = server.dataset(clip)
    code = tmp_path / "net.py"
    code.write_text(
        "import torch\n\ndef network(channels):\n"
        "    return torch.nn.Conv2d(channels, channels, 3, padding=1)\n"
    )
    network = {"name": "python", "file": str(code)}
    model = server.create("/models", {**SMALL, "name": "m", "dataset": dataset, "network": network})
    assert server.wait(model, "done")["summary"]["parameters"] == 10
    (tmp_path / "net.txt").write_text("x = 1")
    errors = refused(
        server, dataset=dataset, network={"name": "python", "file": str(tmp_path / "net.txt")}
    )
    assert errors == {
        "network.file": "net.txt is not a Python file. Choose a file with the extension .py."
    }
