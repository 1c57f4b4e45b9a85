"""Exported snapshots: metadata, equal output to torch, and refused exports."""

import contextlib
import fcntl
import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.onnx._internal.exporter._registration import ONNXRegistry

from jobs.core import processes
from jobs.core.errors import JobError
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.networks import export as exporting
from jobs.networks import snapshots
from jobs.networks.export import export
from jobs.networks.export_formats import FORMATS, Format
from jobs.specs.export import EXTENSIONS, ExportFormat
from models.definitions.networks import NETWORKS
from models.restorer import Channels, Restorer
from tests.support.exported import TINY, add_snapshot, make_model
from tests.support.waiting import wait_until

SMALL: dict[str, dict[str, int]] = {
    "srcnn-9-1-5": {"maps1": 4, "maps2": 4},
    "srcnn-9-5-5": {"maps1": 4, "maps2": 4},
    "ar-cnn": {"maps1": 4, "maps2": 4, "maps3": 4},
    "vrcnn": {"maps": 8},
    "vdsr": {"depth": 3, "maps": 4},
    "dncnn": {"depth": 3, "maps": 4},
    "edsr": {"blocks": 1, "maps": 4},
    "ecbnet": {"depth": 3, "maps": 4},
    "ffdnet": {"depth": 3, "maps": 4},
}

SMALL_ECB = {"name": "ecbnet", **SMALL["ecbnet"]}

EVERY_LAYER = """
layer { name: "data" type: "Data" top: "data" } layer { name: "label" type: "Data" top: "label" }
layer { name: "conv/1 a" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 bias_term: false } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 0.01 } }
layer { name: "sc" type: "Scale" bottom: "c" top: "c"
        scale_param { bias_term: true filler { value: 0.5 } } }
layer { name: "pr" type: "PReLU" bottom: "c" top: "c" }
layer { name: "el" type: "ELU" bottom: "c" top: "e" elu_param { alpha: 0.5 } }
layer { name: "si" type: "Sigmoid" bottom: "c" top: "s" }
layer { name: "ta" type: "TanH" bottom: "c" top: "t" }
layer { name: "po" type: "Pooling" bottom: "c" top: "p"
        pooling_param { pool: AVE kernel_h: 3 kernel_w: 1 pad_h: 1 pad_w: 0 } }
layer { name: "mp" type: "Pooling" bottom: "c" top: "m"
        pooling_param { pool: MAX kernel_size: 3 pad: 1 } }
layer { name: "ew" type: "Eltwise" bottom: "e" bottom: "s" bottom: "t" bottom: "p" top: "w"
        eltwise_param { operation: SUM coeff: 1 coeff: -1 coeff: 2 coeff: 0.5 } }
layer { name: "mx" type: "Eltwise" bottom: "w" bottom: "m" top: "x"
        eltwise_param { operation: MAX } }
layer { name: "pd" type: "Eltwise" bottom: "x" bottom: "s" top: "y"
        eltwise_param { operation: PROD } }
layer { name: "sl" type: "Slice" bottom: "y" top: "w1" top: "w2" slice_param { slice_point: 1 } }
layer { name: "si2" type: "Silence" bottom: "w1" }
layer { name: "de" type: "Deconvolution" bottom: "w2" top: "d"
        convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1
                            weight_filler { type: "bilinear" } } }
layer { name: "cr" type: "Crop" bottom: "d" bottom: "w" top: "r"
        crop_param { axis: 2 offset: 1 offset: 2 } }
layer { name: "dr" type: "Dropout" bottom: "r" top: "r" dropout_param { dropout_ratio: 0.25 } }
layer { name: "pw" type: "Power" bottom: "r" top: "q"
        power_param { power: 2 scale: 0.3 shift: 0.4 } }
layer { name: "co" type: "Concat" bottom: "q" bottom: "data" top: "k" }
layer { name: "last" type: "Convolution" bottom: "k" top: "o"
        convolution_param { num_output: 1 kernel_size: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "label" top: "loss" }
"""


@pytest.fixture(scope="module", autouse=True)
def one_table_of_operators() -> Iterator[None]:
    """Torch's table of ONNX's operators, made once: it takes a third of an export."""
    with pytest.MonkeyPatch.context() as patch:
        table = staticmethod(cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", table)
        yield


def pasted(name: str) -> dict[str, str]:
    return {"name": "custom", "prototxt": (ROOT / "examples" / f"{name}.prototxt").read_text()}


def networks() -> dict[str, dict[str, Any]]:
    built_in = {name: {"name": name, **small} for name, small in SMALL.items()}
    prototxts = {name: pasted(name) for name in ("residual", "sr-model")}
    return {
        **built_in,
        **prototxts,
        "every layer": {"name": "custom", "prototxt": EVERY_LAYER, "start": "paper"},
    }


def run(path: Path, format: str, image: Tensor, restorer: Restorer) -> Tensor:
    """Run the file. ONNX files and weights run without the project's code."""
    if format == "onnx":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])
    if format == "safetensors":
        return run_card(path, image)
    return FORMATS[format].run(path, image, restorer)


def run_card(path: Path, image: Tensor) -> Tensor:
    """Run the code of the model card in the folder of the file, as a person would."""
    code = card_of(path).split("```python\n")[1].split("```")[0]
    assert "clearframe" not in code
    names: dict[str, Any] = {}
    with contextlib.chdir(path.parent), torch.no_grad():
        exec(code, names)
        restored: Tensor = names["restore"](image)
    return restored


def card_of(path: Path) -> str:
    return path.with_name(f"{path.name}.README.md").read_text()


def assert_restores(folder: JobFolder, format: ExportFormat) -> None:
    """Assert that the exported file has torch's output for images of other sizes."""
    answer = export(folder, "best", format)
    _, restorer, channels = snapshots.load(folder, "best")
    path = folder.path / answer["file"]
    assert (answer["file"], answer["snapshot"]) == (
        f"exports/epoch-0001{EXTENSIONS[format]}",
        "epoch-0001",
    )
    assert answer["size"] == path.stat().st_size
    assert 0 <= answer["difference"] < 1e-5
    assert answer["seconds"] > 0
    for size in ((3, 50, 131), (1, 17, 16)):
        image = torch.rand(size[0], channels + restorer.takes_qp, *size[1:])
        with torch.no_grad():
            expected = restorer(image)
        assert not torch.allclose(expected, image[:, :channels], atol=1e-4), (
            "the network changes nothing"
        )
        assert torch.allclose(run(path, format, image, restorer), expected, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("network", networks())
def test_each_network_is_exported_in_each_format(
    network: str, format: ExportFormat, home: Path
) -> None:
    impossible = {
        "every layer": "its layer po is a pool",
        "ffdnet": "its layer conv1 is a convolution that changes the size",
    }
    if format == "shader" and network in impossible:
        with pytest.raises(JobError, match=impossible[network]):
            export(make_model(home, networks()[network]), "best", format)
        return
    assert_restores(make_model(home, networks()[network]), format)


def test_all_networks_are_tested() -> None:
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("channels", "of_image", "mean"),
    [("rgb", 3, True), ("ycbcr", 3, True), ("ycbcr", 1, False)],
)
def test_the_file_includes_colour_conversion_and_mean(
    format: ExportFormat, channels: Channels, of_image: int, mean: bool, home: Path
) -> None:
    assert_restores(make_model(home, TINY, channels, of_image, mean), format)


def test_an_onnx_file_has_metadata_but_no_paths_of_this_machine(home: Path) -> None:
    folder = make_model(home, channels="ycbcr")
    answer = export(folder, "last", "onnx")
    assert answer["checked_with"] == f"onnxruntime {onnxruntime.__version__}"
    path = folder.path / answer["file"]
    model = onnx.load(path)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert {key: about[key] for key in ("model", "snapshot", "channels", "image_channels")} == {
        "model": "tiny",
        "snapshot": "epoch-0001",
        "channels": "ycbcr",
        "image_channels": "3",
    }
    assert about["range"].startswith("float32 (N, 3, H, W) in 0..1, RGB")
    assert model.producer_name == "Clearframe"
    (image,), (restored,) = model.graph.input, model.graph.output
    for value, name in ((image, "image"), (restored, "restored")):
        sides = [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        assert (value.name, sides) == (name, ["n", 3, "height", "width"])
    assert str(ROOT).encode() not in path.read_bytes()


@pytest.mark.parametrize("format", ["torchscript", "torch.export"])
def test_torch_files_have_metadata(format: ExportFormat, home: Path) -> None:
    folder = make_model(home)
    path = folder.path / export(folder, "last", format)["file"]
    files = {"clearframe.json": ""}
    if format == "torchscript":
        with pytest.warns(FutureWarning, match=r"torch\.jit\.load"):
            torch.jit.load(path, _extra_files=files)
    else:
        torch.export.load(path, extra_files=files)
    assert json.loads(files["clearframe.json"])["model"] == "tiny"


# The model card.


def test_the_usual_network_needs_ten_lines_of_pytorch(home: Path) -> None:
    folder = make_model(home)
    path = folder.path / export(folder, "best", "safetensors")["file"]
    code = card_of(path).split("```python\n")[1].split("```")[0]
    assert len([line for line in code.splitlines() if line]) == 10


@pytest.mark.parametrize("format", ["onnx", "torchscript", "torch.export"])
def test_the_code_of_the_card_runs_the_file(format: ExportFormat, home: Path) -> None:
    folder = make_model(home, SMALL_ECB)
    path = folder.path / export(folder, "best", format)["file"]
    _, restorer, _ = snapshots.load(folder, "best")
    image = torch.rand(1, 4, 17, 24)
    code = card_of(path).split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    with contextlib.chdir(path.parent), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        exec(code, names)
        restored = names["restore"](image.numpy() if format == "onnx" else image)
    assert torch.allclose(torch.as_tensor(restored), restorer(image), atol=1e-5)


def test_card_has_scores_data_network_and_licence(home: Path) -> None:
    folder = make_model(home)
    with EventLog(folder.events) as log:
        scalars: dict[str, float | None] = {
            "val/psnr": 31.25,
            "val/psnr_input": 30.0,
            "val/ssim": 0.9,
        }
        log.append(
            "snapshot", name="epoch-0002", epoch=2.0, step=12, size=1, scalars=scalars, removed=[]
        )
        log.append("facts", dataset_hash="0123abcd")
    snapshots.weights_of(folder, "epoch-0001").rename(snapshots.weights_of(folder, "epoch-0002"))
    answer = export(folder, "last", "safetensors", 'cc-by-4.0 "mine"')
    assert answer["card"] == "exports/epoch-0002.safetensors.README.md"
    card = (folder.path / answer["card"]).read_text()
    lines = card.split("---\n")[1].splitlines()
    head = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}
    assert (head["license"], head["library_name"]) == ('cc-by-4.0 "mine"', "pytorch")
    for text in (
        "# tiny\n",
        "| PSNR | 30 dB | 31.25 dB | +1.25 dB |",
        "- a dataset that was deleted (abcdefgh)",
        "- SHA-256 of all pairs: 0123abcd",
        "SRCNN 9-1-5 (start identity, skip True, maps1 4, maps2 4), ",
        "- receptive field 13×13 px",
        "12 optimizer steps (2 epochs)",
    ):
        assert text in card
    assert "SSIM" not in card.split("## Scores")[1].split("## ")[0]
    other = export(folder, "last", "torchscript", "mit\n# A heading")
    assert 'license: "mit # A heading"' in (folder.path / other["card"]).read_text()
    assert (folder.path / answer["card"]).read_text() == card


def test_the_name_of_a_layer_cannot_add_code_to_the_card(home: Path) -> None:
    name = 'a"]if print("run")else w["b'
    quoted = name.replace('"', '\\"')
    text = (
        f'layer {{ name: "{quoted}" type: "Convolution" bottom: "data" top: "out" '
        "convolution_param { num_output: 1 kernel_size: 3 pad: 1 } }"
    )
    folder = make_model(home, {"name": "custom", "prototxt": text, "start": "paper"})
    assert_restores(folder, "safetensors")


# Refused exports.


def patch_run(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    monkeypatch.setitem(FORMATS, "torchscript", Format(FORMATS["torchscript"].make, run, "torch"))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda path, image, _: image + 1, "differs from torch by"),
        (lambda path, image, _: image * float("nan"), "differs from torch by nan"),
        (lambda path, image, _: image[..., :48, :64], "for an image of (1, 3, 77, 101)"),
    ],
)
def test_a_file_with_another_output_than_torch_is_removed(
    run: Any, message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model(home)
    before = export(folder, "best", "torchscript")
    patch_run(monkeypatch, run)
    with pytest.raises(JobError) as error:
        export(folder, "best", "torchscript")
    assert message in str(error.value)
    names = sorted(path.name for path in folder.exports.iterdir())
    assert names == [".lock", "epoch-0001.pt", "epoch-0001.pt.README.md"]
    assert (folder.path / before["file"]).stat().st_size == before["size"], (
        "the previous file changed"
    )


def code_of(tmp_path: Path, body: str) -> dict[str, str]:
    file = tmp_path / "net.py"
    file.write_text(
        f"import torch\nfrom torch import nn\n\n{body}\n"
        "def network(channels):\n    return Net(channels)\n"
    )
    return {"name": "python", "file": str(file)}


SIZED = """
class Net(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
    def forward(self, x):
        return self.conv(x) * len(range(x.shape[-1]))
"""


def test_a_network_that_depends_on_the_traced_size_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    folder = make_model(home, code_of(tmp_path, SIZED))
    with pytest.raises(
        JobError,
        match=r"cannot be exported as torch\.export for images of any size: "
        r".*constant \(64\).* another format",
    ):
        export(folder, "best", "torch.export")
    with pytest.raises(JobError, match="differs from torch by"):
        export(folder, "best", "torchscript")
    with pytest.raises(
        JobError,
        match=r"onnxruntime cannot run .* on an image of 101×77: .* The file was removed",
    ):
        export(folder, "best", "onnx")
    assert not list(folder.exports.glob("epoch*"))


EVEN = """
class Net(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 8, 3, 2, 1), nn.Conv2d(8, channels * 4, 3, 1, 1)
    def forward(self, x):
        rows, columns = x.shape[-2:]
        even = nn.functional.pad(x, (0, -columns % 2, 0, -rows % 2), mode="replicate")
        change = nn.functional.pixel_shuffle(self.up(self.down(even).relu()), 2)
        return x + change[..., :rows, :columns]
"""


def test_a_network_that_pads_to_even_sides_exports_if_the_format_supports_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    folder = make_model(home, code_of(tmp_path, EVEN))
    assert_restores(folder, "onnx")
    assert_restores(folder, "torchscript")
    with pytest.raises(JobError, match=r"torch cannot run .* on an image of 101×77"):
        export(folder, "best", "torch.export")


def test_user_code_runs_only_if_allowed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = (
        "class Net(nn.Conv2d):\n"
        "    def __init__(self, channels):\n"
        "        super().__init__(channels, channels, 3, padding=1)\n"
    )
    with monkeypatch.context() as allowed:
        allowed.setenv("CLEARFRAME_USER_CODE", "1")
        folder = make_model(home, code_of(tmp_path, plain))
        assert_restores(folder, "torchscript")
        code_of(tmp_path, plain.replace("3, padding=1", "5, padding=2"))
        with pytest.raises(JobError, match="do not fit the network"):
            export(folder, "best", "torchscript")
    with pytest.raises(JobError, match="running user code is not allowed"):
        export(folder, "best", "onnx")


def test_a_missing_snapshot_or_model_is_an_error(home: Path) -> None:
    folder = make_model(home)
    with pytest.raises(JobError, match="Snapshot epoch-0009 does not exist"):
        export(folder, "epoch-0009", "torchscript")
    with pytest.raises(JobError, match="The model was deleted"):
        export(folder.sibling("abcdefgh"), "best", "torchscript")


def test_weights_too_large_for_onnx_are_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.networks.export_formats.ONNX_BYTES", 1000)
    with pytest.raises(JobError, match="an ONNX file holds at most 2"):
        export(make_model(home), "best", "onnx")


# The process.


def answer_of(folder: JobFolder, format: str = "torchscript") -> dict[str, Any]:
    request = {"folder": str(folder.path), "snapshot": "best", "format": format}
    done = processes.run("jobs.networks.export", input=json.dumps(request), timeout=120)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_the_process_prints_only_the_answer(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud = (
        "import os\nprint('loud')\nos.write(1, b'louder')\n"
        "class Net(nn.Conv2d):\n"
        "    def __init__(self, channels):\n"
        "        super().__init__(channels, channels, 1)\n"
    )
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    facts = answer_of(make_model(home, code_of(tmp_path, loud)), "onnx")
    expected = {"file", "card", "snapshot", "size", "difference", "checked_with", "seconds"}
    assert set(facts) == expected


def test_concurrent_exports_wait_and_overwrite_the_file_of_a_killed_export(
    home: Path,
) -> None:
    folder = make_model(home)
    folder.exports.mkdir()
    draft = folder.exports / ".epoch-0001.pt"
    draft.write_bytes(b"half")
    with ThreadPoolExecutor() as threads:
        with (folder.exports / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            exports = [threads.submit(answer_of, folder) for _ in range(2)]
            wait_until(lambda: waiting_for(lock.fileno()) == 2, "two exports do not wait")
            assert draft.read_bytes() == b"half", "an export did not wait"
        assert [export.result(120)["difference"] < 1e-6 for export in exports] == [True, True]
    names = sorted(path.name for path in folder.exports.iterdir())
    assert names == [".lock", "epoch-0001.pt", "epoch-0001.pt.README.md"]


def waiting_for(lock: int) -> int:
    """Return how many processes wait for the lock on a file."""
    ends_with = f":{os.fstat(lock).st_ino} 0 EOF"
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and line.endswith(ends_with) for line in lines)


def test_a_full_disk_has_its_own_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, content: bytes) -> None:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(content)

    folder = make_model(home)
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    request = {"folder": str(folder.path), "snapshot": "best", "format": "torchscript"}
    monkeypatch.setattr(json, "load", lambda _: request)
    exporting.main()
    assert json.loads(capfd.readouterr().out) == {
        "error": "The disk is full. Free some space, then export again."
    }
    assert not list(folder.exports.glob("*.pt"))


def test_best_and_last_are_different_snapshots(home: Path) -> None:
    folder = make_model(home)
    with EventLog(folder.events) as log:
        add_snapshot(folder, log, "epoch-0002")
        log.append(
            "snapshot",
            name="epoch-0002",
            epoch=2.0,
            step=12,
            size=1,
            scalars={"val/l1": 0.5},
            removed=[],
        )
    assert export(folder, "best", "torchscript")["snapshot"] == "epoch-0001"
    assert export(folder, "last", "torchscript")["snapshot"] == "epoch-0002"
