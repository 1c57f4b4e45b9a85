"""What a job can be asked to do: the one definition behind the form, the JSON API and the docs.

Each field carries its label (`title`), its help line (`description`), bounds, choices and default.
How a form shows it stands in `json_schema_extra`: `unit`, `more` (folded away), `widget`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Encoding = Literal["none", "png", "jpeg"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
ServerPath = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]
JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{8,40}$")]


class Spec(BaseModel):
    """Base of all specs: unknown fields and NaN are errors, so that a typing error is never silent."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def setting(default: Any, label: str, help: str, *, unit: str = "", more: bool = False, widget: str = "", **bounds: Any) -> Any:
    """A field with all that a form, the API description and the documents say about it."""
    extra: dict[str, Any] = {key: value for key, value in {"unit": unit, "more": more, "widget": widget}.items() if value}
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


class StreamSource(Spec):
    """A stream and the originals of its frames."""

    kind: Literal["stream"] = "stream"
    stream: ServerPath = setting(
        ..., "H.264 stream", "A raw .h264 or .264 stream, or a container such as .mp4 or .mkv.", widget="file"
    )
    originals: ServerPath = setting(
        ...,
        "Originals",
        "A folder of .bmp.gz, .bmp or .png files, in natural order: the n-th belongs to frame n.",
        widget="folder",
    )


class Validation(Spec):
    """How pairs are kept back for validation."""

    method: Literal["blocks"] = setting(
        "blocks", "Split", "Contiguous blocks of frames: neighbours look alike, so single random frames would leak.", more=True
    )
    percent: float = setting(10, "Validation", "Share of the pairs that the network is never trained on.", unit="%", ge=1, le=50)


class DatasetSpec(Spec):
    """Make a dataset of (decoded, original) pairs."""

    name: Name = setting(..., "Name", "How the dataset is called in lists.")
    source: StreamSource
    validation: Validation = Validation()
    input_encoding: Encoding = setting(
        "png", "Encoding of inputs", "png: lossless and small. none: raw bytes, the fastest. jpeg: with loss.", more=True
    )
    target_encoding: Encoding = setting(
        "png", "Encoding of targets", "png: lossless and small. none: raw bytes, the fastest. jpeg: with loss.", more=True
    )
    keep_decoded: bool = setting(
        False, "Keep the decoded frames as BMP", "Also writes decoded/000000.bmp and so on into the job's folder.", more=True
    )


class Network(Spec):
    name: Literal["srcnn-9-1-5"] = setting(
        "srcnn-9-1-5", "Network", "9-1-5 with 64 and 32 maps (Dong et al. 2014), kept at the size of its input."
    )
    skip: bool = setting(
        True, "Global skip", "The network learns what to add to its input, and starts as the identity.", more=True
    )


class Loss(Spec):
    name: Literal["l1"] = setting("l1", "Loss", "Mean absolute difference of output and target.")


class Solver(Spec):
    name: Literal["adam"] = setting("adam", "Solver", "Adam (Kingma and Ba 2015).")
    learning_rate: float = setting(0.001, "Base learning rate", "The rate that the run starts with.", gt=0, le=10)


class LrPolicy(Spec):
    name: Literal["exponential"] = setting("exponential", "Rate policy", "rate = base * gamma ^ (progress * scale)")
    gamma: float = setting(0.098, "Gamma", "The factor by which the rate falls.", gt=0, le=1)
    per: Literal["run", "percent", "epoch", "iteration"] = setting(
        "run", "Decay per", "run: once over the whole training. percent: as DIGITS counts. iteration: as Caffe counts."
    )


class ModelSpec(Spec):
    """Train a network on a dataset."""

    name: Name = setting(..., "Name", "How the model is called in lists.")
    dataset: JobId = setting(
        ..., "Dataset", "The pairs to train on. A dataset that is still being made is waited for.", widget="dataset"
    )
    network: Network = Network()
    loss: Loss = Loss()
    solver: Solver = Solver()
    lr_policy: LrPolicy = LrPolicy()
    epochs: int | None = setting(
        None, "Epochs", "Passes over the training frames: 30 where neither epochs nor minutes are given.", ge=1, le=100_000
    )
    minutes: float | None = setting(
        None, "Minutes", "A time budget in place of epochs; the rate then decays over this time.", unit="min", gt=0, le=100_000
    )
    batch_size: int = setting(32, "Batch size", "Patches a step.", unit="patches", ge=1, le=4096)
    patch_size: int = setting(64, "Patch size", "Side of the random squares cut from each pair.", unit="px", ge=8, le=1024)
    patches_per_frame: int = setting(
        8, "Patches a frame", "Random patches cut from each training frame in an epoch.", more=True, ge=1, le=4096
    )
    seed: int = setting(0, "Seed", "Start of all random numbers of the run.", more=True, ge=0, le=2**31 - 1)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "Device", "auto: a GPU where there is one.", more=True)
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto", "Precision", "auto: bfloat16 where the processor or GPU computes in it, else float32.", more=True
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("give epochs or minutes, not both")
        if self.epochs is None and self.minutes is None:
            self.epochs = 30
        return self


class TestSpec(Spec):
    """Run a model on one image and look at what every layer did."""

    kind: Literal["image"] = "image"
    model: JobId
    name: str = setting(
        "", "Name", "How the test is called in lists: as its image, where nothing is given.", more=True, max_length=200
    )
    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to test: best is the one with the lowest validation loss.",
        widget="snapshot",
        pattern=r"^(best|last|epoch-\d{4,})$",
    )
    image: ServerPath | None = setting(None, "Image", "A path on the server, or a file from your machine.", widget="image")
    target: ServerPath | None = setting(
        None, "Ground truth", "The undamaged image of the same size, where you have it.", widget="image"
    )
    pair: int | None = setting(None, "Validation pair", "Number of a pair of the model's dataset, in place of an image.", ge=0)
    layers: bool = setting(True, "Show visualizations and statistics", "Each layer's activations, weights and numbers.")

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.image is None) == (self.pair is None):
            raise ValueError("give an image or the number of a validation pair")
        if self.pair is not None and self.target is not None:
            raise ValueError("a validation pair brings its own ground truth")
        self.name = self.name.strip() or (
            f"validation pair {self.pair}" if self.image is None else self.image.split("/")[-1][:200]
        )
        return self


JobSpec = DatasetSpec | ModelSpec | TestSpec
JobKind = Literal["dataset", "model", "test"]
SPECS: dict[str, type[DatasetSpec] | type[ModelSpec] | type[TestSpec]] = {
    "dataset": DatasetSpec,
    "model": ModelSpec,
    "test": TestSpec,
}
