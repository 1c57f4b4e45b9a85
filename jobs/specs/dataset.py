"""The settings of a dataset job."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from jobs.specs.base import (
    Name,
    Notes,
    Seed,
    Spec,
    Tags,
    Text,
    discriminated_by,
    setting,
)
from jobs.specs.sources import Source

Encoding = Literal["none", "png", "jpeg"]


class NoSplit(Spec):
    """No split: all pairs are for training and validation."""

    model_config = ConfigDict(title="None")

    method: Literal["none"] = "none"


class _Share(Spec):
    percent: float = setting(
        10,
        "Share of the pairs",
        "Percentage of the pairs that are excluded from training.",
        unit="%",
        ge=1,
        le=50,
    )


class Blocks(_Share):
    """Contiguous blocks of frames. Single random frames would leak, as neighbours are similar."""

    model_config = ConfigDict(title="Percent, in contiguous blocks")

    method: Literal["blocks"] = "blocks"


class BySequence(_Share):
    """Entire sequences, chosen at random by the seed. The strictest split."""

    model_config = ConfigDict(title="Percent, by whole sequences")

    method: Literal["sequences"] = "sequences"


class ByFrame(_Share):
    """Single random frames. Leaks: training sees similar frames, so the PSNR is too optimistic."""

    model_config = ConfigDict(title="Percent, by random frame (leaks)")

    method: Literal["frames"] = "frames"


class Separate(Spec):
    """A separate source. All pairs of the training source stay in training."""

    model_config = ConfigDict(title="Separate sources")

    method: Literal["separate"] = "separate"
    source: Source = setting(..., "Source", "The source of these pairs.")


ValidationSplit = Annotated[
    Blocks | BySequence | ByFrame | Separate,
    Field(discriminator="method"),
    discriminated_by("method", "blocks"),
]
TestSplit = Annotated[
    NoSplit | Blocks | BySequence | ByFrame | Separate,
    Field(discriminator="method"),
    discriminated_by("method", "blocks"),
]


class FrameChoice(Spec):
    """The frames that are used of each sequence."""

    first: int = setting(
        0,
        "First frame",
        "Number of the first frame that is used, from 0.",
        more=True,
        ge=0,
        le=10_000_000,
    )
    last: int | None = setting(
        None,
        "Last frame",
        "Number of the last frame that is used; empty for all frames.",
        more=True,
        ge=0,
        le=10_000_000,
    )
    step: int = setting(
        1,
        "Step",
        "Distance between frames that are used: 2 uses every second frame.",
        more=True,
        ge=1,
        le=10_000,
    )
    most: int | None = setting(
        None,
        "Frame limit",
        "Largest number of frames per sequence; empty for no limit.",
        unit="frames",
        more=True,
        ge=1,
        le=10_000_000,
    )
    near_duplicates: float = setting(
        0,
        "Drop near-duplicates",
        "Drop frames whose original differs from the last used one by less than this mean "
        "difference. 0 keeps all frames; 1 drops still pictures.",
        unit="levels",
        more=True,
        ge=0,
        le=64,
    )

    @field_validator("last")
    @classmethod
    def _forward(cls, last: int | None, others: ValidationInfo) -> int | None:
        if last is not None and last < others.data.get("first", 0):
            raise ValueError("it is before the first frame")
        return last


class PatchGrid(Spec):
    """The patches that training pairs are cut into. Validation and test pairs stay whole."""

    size: int | None = setting(
        None,
        "Cut into patches",
        "Side of the square patches that training pairs are cut into. Empty: whole frames. "
        "Validation and test pairs stay whole.",
        unit="px",
        more=True,
        ge=8,
        le=4096,
    )
    stride: int | None = setting(
        None,
        "Stride",
        "Distance between neighbouring patches; empty for the patch size.",
        unit="px",
        more=True,
        ge=1,
        le=4096,
    )
    flat_below: float = setting(
        0,
        "Drop flat patches",
        "Drop patches whose target has a lower variance; 0 keeps all patches.",
        unit="levels²",
        more=True,
        ge=0,
        le=16384,
    )


class DatasetSpec(Spec):
    """Create a dataset of (decoded, original) pairs."""

    source: Source = setting(..., "Source", "The source of the pairs.", widget="radio")
    validation: ValidationSplit = setting(
        Blocks(),
        "Validation",
        "Pairs that measure the network during training, which never trains on them.",
    )
    test: TestSplit = setting(
        NoSplit(),
        "Test split",
        "Pairs that measure the network after training, which never trains on them.",
        more=True,
    )
    frames: FrameChoice = FrameChoice()
    patches: PatchGrid = PatchGrid()
    channels: Literal["none", "rgb", "grayscale"] = setting(
        "none",
        "Channels",
        "none: as in the source. grayscale: Y of inputs and targets, by the matrix of the "
        "stream (BT.601 or BT.709).",
        more=True,
    )
    input_encoding: Encoding = setting(
        "png",
        "Encoding of inputs",
        "png: lossless, about half the size of raw bytes. none: raw bytes, the largest and "
        "fastest to read. jpeg: small and lossy.",
        more=True,
    )
    target_encoding: Encoding = setting(
        "png",
        "Encoding of targets",
        "The same choices as for inputs. jpeg damages the originals.",
        more=True,
    )
    jpeg_quality: int = setting(
        95,
        "JPEG quality",
        "Quality of the jpeg encoding, 1 to 100. Larger values lose less and need more space.",
        more=True,
        ge=1,
        le=100,
    )
    keep_decoded: bool = setting(
        False,
        "Keep the inputs as BMP",
        "Also write the inputs to decoded/000000.bmp and so on, in the job's folder.",
        more=True,
    )
    seed: Seed = setting(0, "Seed", "Start value of the random numbers of the splits.", more=True)
    name: Name = setting(..., "Name", "Name shown in lists.")
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
