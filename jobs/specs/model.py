"""The settings of a training job."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from jobs.specs.base import (
    SNAPSHOT,
    FromText,
    JobId,
    Name,
    Notes,
    Seed,
    ServerPath,
    Spec,
    Swept,
    Tags,
    Text,
    setting,
)
from jobs.specs.losses import L1, Loss
from jobs.specs.networks import Network, Srcnn915
from jobs.specs.solvers import Adam, Exponential, LrPolicy, Solver

SSIM_WINDOW = 11


class ModelSpec(Spec):
    """Train a network on a dataset."""

    name: Name = setting(..., "Name", "Name shown in lists.")
    dataset: JobId = setting(
        ...,
        "Dataset",
        "The pairs to train on. If the dataset is not ready, training waits for it.",
        widget="dataset",
    )
    more_datasets: Annotated[list[JobId], FromText, Field(max_length=100)] = setting(
        [],
        "More datasets",
        "Datasets whose pairs are added, for training as well as for validation.",
        more=True,
        widget="datasets",
    )
    network: Network = setting(
        Srcnn915(), "Network", "The function that maps a damaged image to a restored image."
    )
    channels: Literal["rgb", "y", "ycbcr"] = setting(
        "y",
        "Channels",
        "The channels that the network sees and restores. With few clips, colour networks overfit "
        "their colours.",
        titles={"y": "Y; colour passes through", "rgb": "RGB", "ycbcr": "YCbCr"},
    )
    loss: Loss = setting(L1(), "Loss", "The function training minimises.")
    weight_by_qp: bool = setting(
        True,
        "Weight by QP",
        "If the network takes the QP, differences count in quantiser steps, so that strong damage "
        "does not drown mild damage. For the losses L1, L2, Charbonnier, and L1 and Sobel edges. "
        "Hardly any effect with one rate.",
        more=True,
    )
    solver: Solver = setting(Adam(), "Solver", "The optimizer.")
    lr_policy: LrPolicy = setting(
        Exponential(), "Rate policy", "The course of the learning rate over the run."
    )
    epochs: int | None = setting(
        None,
        "Epochs",
        "Passes over the training frames; 30 if no length is set.",
        ge=1,
        le=100_000,
    )
    minutes: float | None = setting(
        None,
        "Minutes",
        "Time budget; use instead of epochs. The learning rate falls over this time.",
        unit="min",
        gt=0,
        le=100_000,
    )
    steps: int | None = setting(
        None,
        "Optimizer steps",
        "Use instead of epochs.",
        more=True,
        ge=1,
        le=1_000_000_000,
    )
    batch_size: Annotated[int, Swept()] = setting(
        16,
        "Batch size",
        "Larger batches need more memory; a GPU is used well from 256 on. 8, 16 is a sweep.",
        unit="patches",
        widget="list",
        ge=1,
        le=4096,
    )
    accumulation: int = setting(
        1,
        "Gradient accumulation",
        "Batches whose gradients are summed for one optimizer step. Acts like a larger batch "
        "without more memory.",
        more=True,
        ge=1,
        le=1024,
    )
    patch_size: int = setting(
        64,
        "Patch size",
        "Side of the random square patches that are cut from each pair.",
        unit="px",
        ge=8,
        le=1024,
    )
    patches_per_frame: int = setting(
        8,
        "Patches per frame",
        "Random patches that are cut from each training frame in an epoch.",
        more=True,
        ge=1,
        le=4096,
    )
    flips: bool = setting(
        True, "Flips", "Mirror patches at random, input and target alike.", more=True
    )
    quarter_turns: bool = setting(
        False, "Quarter turns", "Also rotate patches by 90° at random.", more=True
    )
    mean_subtraction: Literal["none", "pixel"] = setting(
        "none",
        "Subtract the mean",
        "pixel: subtract the mean of each channel over the training inputs from the input, and "
        "add it to the output.",
        more=True,
    )
    gradient_clip: float | None = setting(
        None,
        "Clip gradients",
        "Maximum norm; empty: no clipping.",
        more=True,
        gt=0,
        le=1e6,
    )
    ema: float | None = setting(
        None,
        "Average weights",
        "Decay per step of a moving average of the weights, such as 0.999. The average is then "
        "validated and saved; empty for none.",
        more=True,
        gt=0,
        lt=1,
    )
    validation_interval: float | None = setting(
        None,
        "Validation interval",
        "Epochs between validations; can be a fraction. Empty: every epoch, or in a run of minutes "
        "every 10 s at first; fewer where they would take more than a tenth of the time.",
        unit="epochs",
        more=True,
        gt=0,
        le=10_000,
    )
    snapshot_interval: float | None = setting(
        None,
        "Snapshot interval",
        "Epochs between snapshots; can be a fraction. Empty: after each validation, at most one an "
        "epoch if validations have an interval. Another snapshot is saved at the end.",
        unit="epochs",
        more=True,
        gt=0,
        le=10_000,
    )
    keep: int = setting(
        5,
        "Snapshots kept",
        "Number of the latest snapshots to keep, in addition to the best.",
        more=True,
        ge=1,
        le=10_000,
    )
    early_stopping: int | None = setting(
        None,
        "Stop early",
        "Stop after this many validations without a lower loss (L1); empty for never.",
        unit="validations",
        more=True,
        ge=1,
        le=10_000,
    )
    start_from: JobId | None = setting(
        None,
        "Initial weights",
        "Another model, for layers with the same name and shape.",
        more=True,
        widget="model",
    )
    start_snapshot: str = setting(
        "best",
        "Snapshot to start from",
        "The snapshot of the other model: best, last, or a name such as epoch-0012.",
        more=True,
        pattern=SNAPSHOT,
    )
    start_file: ServerPath | None = setting(
        None,
        "Weights file",
        "Pretrained weights, .safetensors or .pth, for layers with the same name and shape. The "
        "log lists what matched. Nothing in the file is executed.",
        more=True,
        widget="file",
    )
    seed: Seed = setting(0, "Seed", "Start value of all random numbers of the run.", more=True)
    leader: Literal["loss", "psnr"] = setting(
        "loss",
        "Best snapshot",
        "The snapshot that pages, lists, tests and exports call best. It is never removed.",
        more=True,
        titles={"loss": "Lowest validation loss", "psnr": "Highest PSNR"},
    )
    device: str = setting(
        "auto",
        "Device",
        "auto: a GPU if available, otherwise the CPU. Or cpu, cuda:0, or several GPUs: cuda:0,1.",
        more=True,
        widget="device",
        pattern=r"^(auto|cpu|cuda|cuda:\d{1,2}(,\d{1,2})*)$",
    )
    gpu_share: float = setting(
        1.0,
        "Share of the GPU",
        "Part of the GPU's memory that the training may use. 1 reserves the GPU; trainings "
        "whose shares add up to at most 1 run on one GPU together.",
        more=True,
        ge=0.01,
        le=1,
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = setting(
        "auto",
        "Precision",
        "Number format of the layers. auto: bfloat16 if the device supports it, otherwise "
        "float16 on a GPU from compute capability 7.0, and float32 elsewhere.",
        more=True,
    )
    compile: bool = setting(
        False,
        "Compile",
        "Use torch.compile: about a minute before the first step, then faster steps on a GPU.",
        more=True,
    )
    cuda_graph: bool = setting(
        True,
        "CUDA graph",
        "On one GPU: measure at the start, for about a second, whether steps are faster if their "
        "kernels are submitted together, and do so. Helps small batches; not with Compile.",
        more=True,
    )
    group: Text = setting("", "Group", "Lists can be sorted and filtered by group.", more=True)
    tags: Tags = setting(
        [],
        "Tags",
        "Short labels, separated by commas. Lists can be filtered by tag.",
        more=True,
    )
    notes: Notes = setting(
        "",
        "Notes",
        "Text for you and your colleagues, as Markdown.",
        more=True,
        widget="notes",
    )
    sweep: str = Field(
        default="",
        pattern=r"^[0-9a-z]{0,40}$",
        description="The sweep that the job belongs to; the program sets it for several values.",
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        given = [self.epochs, self.steps, self.minutes]
        if sum(length is not None for length in given) > 1:
            raise ValueError("give epochs, steps or minutes, not several of them")
        if all(length is None for length in given):
            self.epochs = 30
        return self

    @field_validator("device")
    @classmethod
    def _distinct(cls, device: str) -> str:
        numbers = [int(number) for number in device.partition(":")[2].split(",") if number]
        if len(set(numbers)) < len(numbers):
            raise ValueError("name each GPU once")
        return device

    @field_validator("patch_size")
    @classmethod
    def _patches_for_the_loss(cls, patch_size: int, info: ValidationInfo) -> int:
        loss = info.data.get("loss")  # None if the loss itself is invalid.
        if loss is not None and loss.name in ("ssim", "ms-ssim") and patch_size < SSIM_WINDOW:
            raise ValueError(f"the loss {loss.name} needs patches of at least {SSIM_WINDOW} px")
        return patch_size

    @property
    def datasets(self) -> list[str]:
        """The ids of all datasets, each once."""
        return list(dict.fromkeys([self.dataset, *self.more_datasets]))
