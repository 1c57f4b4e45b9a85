"""The formats that a snapshot is exported to: how each is written, and how a file of it is run again.

All take the image (N, C, H, W) in float32, 0 to 1, and give the restored one of the same shape; N, H and W are free.
"""

import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from jobs.core.errors import JobError
from jobs.specs.export import ExportFormat
from models.restorer import Restorer

About = Mapping[str, str]
"""What a file says of itself."""

ABOUT_FILE = "clearframe.json"
"""Under this name TorchScript and torch.export keep it."""

INPUT, OUTPUT = "image", "restored"

ONNX_BYTES = 2**31 - 2**20
"""An ONNX file is one protobuf message, which holds no more than 2 GiB: some of it is not for weights."""


@dataclass(frozen=True)
class Format:
    """`make` gives the bytes of the file, tracing with an example; `run` loads a file and restores an image with it; `checker` is
    the package that runs it. Both raise JobError or RuntimeError where they cannot."""

    make: Callable[[Restorer, Tensor, About], bytes]
    run: Callable[[Path, Tensor], Tensor]
    checker: str


def _make_onnx(restorer: Restorer, example: Tensor, about: About) -> bytes:
    import onnx

    size = sum(
        weights.numel() * weights.element_size() for weights in restorer.state_dict().values()
    )
    if size > ONNX_BYTES:
        raise JobError(
            f"The weights take {size / 2**30:.1f} GiB, and an ONNX file holds at most 2. Choose another format."
        )
    made = torch.onnx.export(
        restorer,
        (example,),
        dynamo=True,
        dynamic_shapes={"image": {0: Dim("n"), 2: Dim("height"), 3: Dim("width")}},
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert made is not None
    model = made.model_proto
    model.producer_name, model.producer_version = "Clearframe", about["clearframe"]
    model.doc_string = f"{about['model']}, {about['snapshot']}: {about['range']}"
    onnx.helper.set_model_props(model, dict(about))
    _forget_traces(model)
    content: bytes = model.SerializeToString()
    return content


def _forget_traces(model: Any) -> None:
    """Take out what the exporter notes of where each node came from: that has the paths of this machine."""
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


def _run_onnx(path: Path, image: Tensor) -> Tensor:
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
        # Not checked by tracing a second time: the file is run on an image of another size instead.
        traced = torch.jit.trace(restorer, example, check_trace=False)
        torch.jit.save(traced, packed, _extra_files={ABOUT_FILE: json.dumps(dict(about))})
    return packed.getvalue()


def _run_torchscript(path: Path, image: Tensor) -> Tensor:
    with _without_advice():
        restored: Tensor = torch.jit.load(path, map_location="cpu")(image)
    return restored


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without torch's notes that TorchScript is old, which whoever asks for it knows, and that the number of an image's
    channels becomes a part of what is traced, which it has to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]  # It is public.
        yield


def _make_torch_export(restorer: Restorer, example: Tensor, about: About) -> bytes:
    packed = io.BytesIO()
    # DYNAMIC: a network may ask for a least size, such as three rows, but not for one size alone.
    sides = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(restorer, (example,), dynamic_shapes={"image": sides})
    torch.export.save(program, packed, extra_files={ABOUT_FILE: json.dumps(dict(about))})
    return packed.getvalue()


def _run_torch_export(path: Path, image: Tensor) -> Tensor:
    try:
        restored: Tensor = torch.export.load(path).module()(image)
    except AssertionError as error:  # The file holds what must be true of an image's sides.
        raise RuntimeError(str(error)) from error
    return restored


FORMATS: dict[ExportFormat, Format] = {
    "onnx": Format(_make_onnx, _run_onnx, "onnxruntime"),
    "torchscript": Format(_make_torchscript, _run_torchscript, "torch"),
    "torch.export": Format(_make_torch_export, _run_torch_export, "torch"),
}
