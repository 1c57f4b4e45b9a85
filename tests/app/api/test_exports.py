"""Tests of exports over the JSON API, on a real server."""

import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from app.catalog.catalog import Refused
from app.runner import exporting
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.networks import snapshots
from jobs.specs import ModelSpec
from jobs.specs.export import ExportSpec
from tests.support.exported import make_model
from tests.support.server import Server


@pytest.fixture
def trained(home: Path) -> JobFolder:
    return make_model(home)


@pytest.fixture
def running(trained: JobFolder, home: Path, tmp_path: Path, free_port: int) -> Iterator[Server]:
    """A server whose home has the model when it starts."""
    with Server(home, [tmp_path], free_port) as server:
        yield server


def refused(server: Server, id: str, body: Any) -> tuple[int, dict[str, Any]]:
    status, response = server.call(f"/models/{id}/exports", body)
    return status, response["error"]


def test_a_snapshot_is_exported_listed_and_downloaded_without_blocking_the_server(
    running: Server, trained: JobFolder
) -> None:
    exports = f"/models/{trained.id}/exports"
    assert running.call(exports) == (200, {"exports": []})
    with ThreadPoolExecutor() as pool:
        waiting = [
            pool.submit(running.call, exports, {"snapshot": "best", "format": "onnx"})
            for _ in range(2)
        ]
        assert running.call("/healthz")[0] == 200
        assert not any(call.done() for call in waiting)
        responses = [call.result(120) for call in waiting]
    for status, response in responses:
        assert status == 201, response
        assert set(response) == {
            "file",
            "card",
            "card_url",
            "snapshot",
            "size",
            "difference",
            "checked_with",
            "seconds",
            "url",
        }
        assert response["file"] == "exports/epoch-0001.onnx"
        assert response["snapshot"] == "epoch-0001"
        assert response["url"] == f"/jobs/{trained.id}/files/exports/epoch-0001.onnx"
        assert response["difference"] < 1e-5
    assert running.call(exports, {"snapshot": "epoch-0001", "format": "torchscript"})[0] == 201
    listed = running.call(exports)[1]["exports"]
    assert [(export["name"], export["snapshot"], export["format"]) for export in listed] == [
        ("epoch-0001.onnx", "epoch-0001", "onnx"),
        ("epoch-0001.pt", "epoch-0001", "torchscript"),
    ]
    with urllib.request.urlopen(running.url + listed[0]["url"], timeout=120) as response:
        content = response.read()
    assert len(content) == listed[0]["size"] == responses[0][1]["size"]
    with urllib.request.urlopen(running.url + responses[0][1]["card_url"], timeout=120) as response:
        assert b"# tiny\n" in response.read()
    image = torch.rand(2, 3, 31, 44)
    restored = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(
        None, {"image": image.numpy()}
    )[0]
    expected = snapshots.load(trained, "best")[1](image).detach()
    assert torch.allclose(torch.from_numpy(restored), expected, atol=1e-5)


def test_wrong_exports_are_refused_with_an_error_at_the_field(
    running: Server, trained: JobFolder
) -> None:
    fields = {
        "format": "Must be one of 'onnx', 'torchscript', 'torch.export', 'safetensors' or 'shader'."
    }
    assert refused(running, trained.id, {"format": "caffe"})[1]["fields"] == fields
    for name in ("epoch-0009", "../../x", ""):
        status, error = refused(running, trained.id, {"snapshot": name})
        assert (status, error["fields"]) == (
            422,
            {"snapshot": f"Snapshot {name} does not exist. Available: epoch-0001."},
        )
    assert refused(running, trained.id, {"snapshots": "best"})[1]["fields"] == {
        "snapshots": "Unknown field."
    }
    assert refused(running, trained.id, ["best"])[0] == 422
    assert refused(running, "abcdefgh", {})[0] == 404
    assert running.call("/models/abcdefgh/exports")[0] == 404
    assert not trained.exports.exists()
    (trained.snapshots / "epoch-0001.safetensors").unlink()
    status, error = refused(running, trained.id, {"snapshot": "last"})
    assert (status, "Snapshot epoch-0001 cannot be read" in error["message"]) == (409, True)


def test_a_model_without_a_snapshot_is_refused(home: Path, tmp_path: Path, free_port: int) -> None:
    folder = folders.create(
        home, "model", ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh"})
    )
    with EventLog(folder.events) as log:
        log.append("state", state="aborted", reason="")
    with Server(home, [tmp_path], free_port) as running:
        status, error = refused(running, folder.id, {})
    assert (status, error["fields"]) == (
        422,
        {"snapshot": "The model has no snapshot yet. Wait for its first snapshot."},
    )


def test_user_code_runs_only_if_the_server_allows_it(
    home: Path, tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "net.py"
    code.write_text(
        "import torch\n\ndef network(channels):\n"
        "    return torch.nn.Conv2d(channels, channels, 3, padding=1)\n"
    )
    with monkeypatch.context() as allowed:
        allowed.setenv("CLEARFRAME_USER_CODE", "1")
        folder = make_model(home, {"name": "python", "file": str(code)})
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n{code.read_text()}")
    with Server(home, [tmp_path], free_port) as running:
        status, error = refused(running, folder.id, {"format": "torchscript"})
        assert (
            status,
            "Start the server or the command with --allow-user-code" in error["message"],
        ) == (409, True)
        assert not (tmp_path / "ran").exists()
        running.kill()
        running.options = ["--allow-user-code"]
        running.start()
        status, response = running.call(f"/models/{folder.id}/exports", {"format": "torchscript"})
    assert (status, (tmp_path / "ran").exists()) == (201, True), response


def test_a_process_that_times_out_or_dies_is_reported(
    trained: JobFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "TIMEOUT_SECONDS", 0.1)
        with pytest.raises(Refused, match=r"took more than 0\.1 s and was stopped"):
            exporting.export(trained, ExportSpec(), False)
    (trained.path / "job.json").write_text("{")
    with pytest.raises(Refused, match=r"its process crashed \(json\.decoder\.JSONDecodeError"):
        exporting.export(trained, ExportSpec(), False)
