"""Export formats: how to write each, and how to run a file of it.

The input of all is an image (N, C, H, W) in float32, 0 to 1; the output is the restored image of
the same shape, without the last plane of the image if the network takes the QP. N, H and W are
dynamic.
"""

import copy
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from torch.export import Dim

from jobs.core.errors import JobError
from jobs.networks.shader import check
from jobs.networks.shader import write as shader
from jobs.networks.snapshots import single_tensors
from jobs.specs.export import ExportFormat
from models.restorer import Restorer

About = Mapping[str, str]
"""Metadata in an exported file."""

ABOUT_FILE = "clearframe.json"
"""Name of the extra file with the metadata in TorchScript and torch.export files."""

INPUT, OUTPUT = "image", "restored"

ONNX_BYTES = 2**31 - 2**20
"""Limit for the weights in an ONNX file: a protobuf message of at most 2 GiB, less 1 MiB."""


@dataclass(frozen=True)
class Format:
    """An export format. `make` and `run` raise JobError or RuntimeError if they fail."""

    make: Callable[[Restorer, Tensor, About], bytes]
    """Traces the restorer with an example; returns the bytes of the file."""
    run: Callable[[Path, Tensor, Restorer], Tensor]
    """Loads a file and restores an image with it.

    A file of weights alone needs the restorer that they are loaded into; others ignore it.
    """
    checker: str
    """The package that runs the file."""


def _make_onnx(restorer: Restorer, example: Tensor, about: About) -> bytes:
    import onnx

    size = sum(
        weights.numel() * weights.element_size() for weights in restorer.state_dict().values()
    )
    if size > ONNX_BYTES:
        raise JobError(
            f"The weights take {size / 2**30:.1f} GiB, but an ONNX file holds at most 2 GiB. "
            "Choose another format."
        )
    program = torch.onnx.export(
        restorer,
        (example,),
        dynamo=True,
        dynamic_shapes={"image": {0: Dim("n"), 2: Dim("height"), 3: Dim("width")}},
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    model.producer_name, model.producer_version = "Clearframe", about["clearframe"]
    model.doc_string = f"{about['model']}, {about['snapshot']}: {about['range']}"
    onnx.helper.set_model_props(model, dict(about))
    _remove_traces(model)
    content: bytes = model.SerializeToString()
    return content


def _remove_traces(model: Any) -> None:
    """Remove the exporter's notes on the origin of nodes: they contain paths of this machine."""
    graph = model.graph
    for part in (
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.initializer,
        *graph.value_info,
    ):
        del part.metadata_props[:]


def _run_onnx(path: Path, image: Tensor, restorer: Restorer) -> Tensor:
    import onnx
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    failures = (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.NotImplemented,
        errors.RuntimeException,
    )
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (restored,) = session.run([OUTPUT], {INPUT: image.numpy()})
    except (onnx.checker.ValidationError, *failures) as error:
        raise RuntimeError(str(error)) from error
    return torch.from_numpy(restored)


def _make_torchscript(restorer: Restorer, example: Tensor, about: About) -> bytes:
    packed = io.BytesIO()
    with _without_advice():
        # No check by a second trace: the export runs the file on an image of another size.
        traced = torch.jit.trace(restorer, example, check_trace=False)
        torch.jit.save(traced, packed, _extra_files={ABOUT_FILE: json.dumps(dict(about))})
    return packed.getvalue()


def _run_torchscript(path: Path, image: Tensor, restorer: Restorer) -> Tensor:
    with _without_advice():
        restored: Tensor = torch.jit.load(path, map_location="cpu")(image)
    return restored


@contextmanager
def _without_advice() -> Iterator[None]:
    """Suppress two warnings of torch: TorchScript is deprecated, and tracing fixes Python values.

    Users choose TorchScript knowingly, and the trace must fix the number of channels.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", FutureWarning)
        # TracerWarning is public, but mypy does not see it.
        tracer_warning = torch.jit.TracerWarning  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", category=tracer_warning)
        yield


def _make_torch_export(restorer: Restorer, example: Tensor, about: About) -> bytes:
    packed = io.BytesIO()
    # DYNAMIC: a network may require a minimum size, such as three rows, but not a single size.
    sides = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(restorer, (example,), dynamic_shapes={"image": sides})
    torch.export.save(program, packed, extra_files={ABOUT_FILE: json.dumps(dict(about))})
    return packed.getvalue()


def _run_torch_export(path: Path, image: Tensor, restorer: Restorer) -> Tensor:
    try:
        restored: Tensor = torch.export.load(path).module()(image)
    except AssertionError as error:  # The file contains the constraints on an image's sides.
        raise RuntimeError(str(error)) from error
    return restored


def _make_safetensors(restorer: Restorer, example: Tensor, about: About) -> bytes:
    return safetensors.torch.save(single_tensors(restorer.net), dict(about))


def _run_safetensors(path: Path, image: Tensor, restorer: Restorer) -> Tensor:
    loaded = copy.deepcopy(restorer)
    with torch.no_grad():
        for value in loaded.net.state_dict().values():
            value.zero_()  # So that a weight that is missing in the file shows.
        loaded.net.load_state_dict(safetensors.torch.load_file(path))
        restored: Tensor = loaded(image)
    return restored


def _make_shader(restorer: Restorer, example: Tensor, about: About) -> bytes:
    return shader.write(restorer, about).encode()


def _run_shader(path: Path, image: Tensor, restorer: Restorer) -> Tensor:
    return check.run(path.read_text(encoding="utf-8"), image)


FORMATS: dict[ExportFormat, Format] = {
    "onnx": Format(_make_onnx, _run_onnx, "onnxruntime"),
    "torchscript": Format(_make_torchscript, _run_torchscript, "torch"),
    "torch.export": Format(_make_torch_export, _run_torch_export, "torch"),
    "safetensors": Format(_make_safetensors, _run_safetensors, "torch"),
    "shader": Format(_make_shader, _run_shader, "torch"),
}
