"""The settings of an export: a snapshot as a file for other programs."""

from typing import Literal

from jobs.specs.base import Spec, setting

ExportFormat = Literal["onnx", "torchscript", "torch.export", "safetensors", "shader"]
EXTENSIONS: dict[ExportFormat, str] = {
    "onnx": ".onnx",
    "torchscript": ".pt",
    "torch.export": ".pt2",
    "safetensors": ".safetensors",
    "shader": ".glsl",
}


DatasetFormat = Literal["png", "basicsr", "caffe", "webdataset", "parquet"]
"""The formats of other programs that a dataset is exported to."""

CARD = "README.md"
MADE_BY = "Removes compression artifacts from images. Made by Clearframe."
"""A sentence of each model card, by which it is known."""


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
        "torch.export in Python. safetensors has the weights only; the model card has the few "
        "lines of PyTorch that use them. shader restores videos on the GPU while mpv, or another "
        "player with libplacebo, shows them; it takes small networks.",
        titles={
            "onnx": "ONNX (.onnx)",
            "torchscript": "TorchScript (.pt)",
            "torch.export": "torch.export (.pt2)",
            "safetensors": "Weights (.safetensors)",
            "shader": "mpv shader (.glsl)",
        },
    )
    licence: str = setting(
        "",
        "Licence",
        "Licence of the weights for the model card, such as cc-by-4.0; empty: not stated.",
        max_length=200,
    )
