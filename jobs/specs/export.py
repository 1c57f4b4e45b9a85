"""As what a snapshot can be written for other programs."""

from typing import Literal

from jobs.specs.base import Spec, setting

ExportFormat = Literal["onnx", "torchscript", "torch.export"]
ENDINGS: dict[ExportFormat, str] = {"onnx": ".onnx", "torchscript": ".pt", "torch.export": ".pt2"}


class ExportSpec(Spec):
    """Write a snapshot as a file that runs without Clearframe: the whole way from an image to the restored one."""

    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to write: best is the one with the lowest validation loss.",
        widget="snapshot",
        max_length=100,
    )
    format: ExportFormat = setting(
        "onnx",
        "Format",
        "onnx runs in ONNX Runtime and many others, torchscript in C++ with libtorch, torch.export in Python.",
        titles={
            "onnx": "ONNX (.onnx)",
            "torchscript": "TorchScript (.pt)",
            "torch.export": "torch.export (.pt2)",
        },
    )
