"""What a training job can be asked to do."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from jobs.specs.base import SNAPSHOT, FromText, JobId, Name, Notes, Seed, Spec, Words, setting
from jobs.specs.losses import L1, Loss
from jobs.specs.networks import Network, Srcnn915
from jobs.specs.solvers import Adam, Exponential, LrPolicy, Solver

SSIM_WINDOW = 11


class ModelSpec(Spec):
    """Train a network on a dataset."""

    name: Name = setting(..., "Name", "How the model is called in lists.")
    dataset: JobId = setting(
        ...,
        "Dataset",
        "The pairs to train on. A dataset that is still being made is waited for.",
        widget="dataset",
    )
    more_datasets: Annotated[list[JobId], FromText, Field(max_length=100)] = setting(
        [],
        "More datasets",
        "Their pairs are added, those for training as well as those for validation.",
        more=True,
        widget="datasets",
    )
    network: Network = setting(
        Srcnn915(), "Network", "What maps the damaged image to the restored one."
    )
    channels: Literal["rgb", "y", "ycbcr"] = setting(
        "y",
        "Channels",
        "What the network sees and restores. On few clips, networks that see colour learn the colours of these.",
        titles={"y": "Y; colour passes through", "rgb": "RGB", "ycbcr": "YCbCr"},
    )
    loss: Loss = setting(L1(), "Loss", "What training makes small.")
    solver: Solver = setting(Adam(), "Solver", "How weights are changed.")
    lr_policy: LrPolicy = setting(
        Exponential(), "Rate policy", "How the learning rate falls over the run."
    )
    epochs: int | None = setting(
        None,
        "Epochs",
        "Passes over the training frames: 30 where no length is given.",
        ge=1,
        le=100_000,
    )
    minutes: float | None = setting(
        None,
        "Minutes",
        "A time budget in place of epochs; the rate then falls over this time.",
        unit="min",
        gt=0,
        le=100_000,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Changes of the weights, in place of epochs.",
        more=True,
        ge=1,
        le=1_000_000_000,
    )
    batch_size: int = setting(
        16,
        "Batch size",
        "Patches a step. Several, such as 8, 16, make a sweep.",
        unit="patches",
        widget="list",
        ge=1,
        le=4096,
    )
    accumulation: int = setting(
        1,
        "Batches a step",
        "Gradients of several batches are added up for one step.",
        more=True,
        ge=1,
        le=1024,
    )
    patch_size: int = setting(
        64, "Patch size", "Side of the random squares cut from each pair.", unit="px", ge=8, le=1024
    )
    patches_per_frame: int = setting(
        8,
        "Patches a frame",
        "Random patches cut from each training frame in an epoch.",
        more=True,
        ge=1,
        le=4096,
    )
    flips: bool = setting(
        True, "Flips", "Patches are mirrored at random, input and target alike.", more=True
    )
    quarter_turns: bool = setting(
        False, "Quarter turns", "Patches are turned by 90° at random as well.", more=True
    )
    mean_subtraction: Literal["none", "pixel"] = setting(
        "none",
        "Subtract the mean",
        "pixel: the mean of each channel over the training inputs; added again to the output.",
        more=True,
    )
    gradient_clip: float | None = setting(
        None,
        "Clip gradients",
        "The norm that they are shortened to; as they are where nothing is given.",
        more=True,
        gt=0,
        le=1e6,
    )
    ema: float | None = setting(
        None,
        "Average weights",
        "Decay of a moving average that is validated and kept, such as 0.999.",
        more=True,
        gt=0,
        lt=1,
    )
    validation_interval: float = setting(
        1,
        "Validate every",
        "Also fractions of an epoch.",
        unit="epochs",
        more=True,
        gt=0,
        le=10_000,
    )
    snapshot_interval: float = setting(
        1,
        "Snapshot every",
        "Also fractions of an epoch; one more comes at the end.",
        unit="epochs",
        more=True,
        gt=0,
        le=10_000,
    )
    keep: int = setting(
        5,
        "Snapshots kept",
        "The last ones; the best one stays as well.",
        more=True,
        ge=1,
        le=10_000,
    )
    early_stopping: int | None = setting(
        None,
        "Stop early",
        "After so many validations without a better one.",
        unit="validations",
        more=True,
        ge=1,
        le=10_000,
    )
    start_from: JobId | None = setting(
        None,
        "Start from",
        "The weights of another model, where layers are of equal name and shape.",
        more=True,
        widget="model",
    )
    start_snapshot: str = setting(
        "best", "Its snapshot", "best, last, or its name.", more=True, pattern=SNAPSHOT
    )
    seed: Seed = setting(0, "Seed", "Start of all random numbers of the run.", more=True)
    device: str = setting(
        "auto",
        "Device",
        "auto: a GPU where there is one. cpu, cuda:0, or several: cuda:0,1.",
        more=True,
        widget="device",
        pattern=r"^(auto|cpu|cuda|cuda:\d{1,2}(,\d{1,2})*)$",
    )
    gpu_share: float = setting(
        1.0,
        "Share of the GPU",
        "1: alone. Trainings whose shares add up to 1 compute on one GPU, each with that share of its memory.",
        more=True,
        ge=0.01,
        le=1,
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = setting(
        "auto",
        "Precision",
        "auto: bfloat16 where the processor or GPU computes in it, else float32.",
        more=True,
    )
    compile: bool = setting(
        False,
        "Compile",
        "By torch.compile: a minute's work before the first step, faster steps on a GPU.",
        more=True,
    )
    group: Words = setting("", "Group", "Lists can be sorted and filtered by it.", more=True)
    notes: Notes = setting("", "Notes", "For you and your colleagues.", more=True, widget="notes")
    sweep: str = Field(
        default="",
        pattern=r"^[0-9a-z]{0,40}$",
        description="The sweep that the job belongs to: filled in by the program.",
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

    @model_validator(mode="after")
    def _patches_for_the_loss(self) -> Self:
        if self.loss.name in ("ssim", "ms-ssim") and self.patch_size < SSIM_WINDOW:
            raise ValueError(
                f"the loss {self.loss.name} needs patches of at least {SSIM_WINDOW} px"
            )
        return self

    @property
    def datasets(self) -> list[str]:
        """The ids of all datasets, each once."""
        return list(dict.fromkeys([self.dataset, *self.more_datasets]))
