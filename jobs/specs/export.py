"""The settings of an export: a snapshot as a file for other programs."""

from typing import Literal

from jobs.specs.base import Spec, setting

ExportFormat = Literal["onnx", "torchscript", "torch.export"]
EXTENSIONS: dict[ExportFormat, str] = {
    "onnx": ".onnx",
    "torchscript": ".pt",
    "torch.export": ".pt2",
}


class ExportSpec(Spec):
    """Export a snapshot to a file that restores images without Clearframe."""

    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to export. best has the lowest validation loss, or the highest PSNR if the "
        "training says so.",
        widget="snapshot",
        max_length=100,
    )
    format: ExportFormat = setting(
        "onnx",
        "Format",
        "onnx runs in ONNX Runtime and many other programs, torchscript in C++ with libtorch, "
        "torch.export in Python.",
        titles={
            "onnx": "ONNX (.onnx)",
            "torchscript": "TorchScript (.pt)",
            "torch.export": "torch.export (.pt2)",
        },
    )
