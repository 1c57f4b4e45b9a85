"""The settings of a dataset job."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from jobs.specs.base import (
    FromText,
    Name,
    Notes,
    Seed,
    ServerPath,
    Spec,
    Text,
    discriminated_by,
    setting,
)

Encoding = Literal["none", "png", "jpeg"]

MAX_OFFSET = 8
STREAM_HELP = (
    "A raw .h264, .264 or .avc stream, or .mp4, .mkv, .mov or .ts. Or a folder of streams with "
    "the same originals."
)
ORIGINALS_HELP = (
    "A folder of .bmp.gz, .bmp, .png, .tif, .jpg or .webp in natural order: the n-th image "
    "belongs to frame n. Or a video: .y4m, lossless .mkv or .mp4, or raw .yuv."
)


class RawVideo(Spec):
    """The layout of a raw .yuv file, which the file does not contain."""

    width: int | None = setting(
        None,
        "Width of .yuv",
        "Frame width of raw .yuv originals.",
        unit="px",
        more=True,
        ge=1,
        le=16384,
    )
    height: int | None = setting(
        None,
        "Height of .yuv",
        "Frame height of raw .yuv originals.",
        unit="px",
        more=True,
        ge=1,
        le=16384,
    )
    pixel_format: Literal["yuv420p", "yuv422p", "yuv444p", "nv12", "gray", "rgb24", "bgr24"] = (
        setting(
            "yuv420p",
            "Pixel format of .yuv",
            "FFmpeg's name of the format; usually yuv420p.",
            more=True,
        )
    )


class StreamSource(Spec):
    """A stream, and the original of each frame."""

    model_config = ConfigDict(title="Stream and originals")

    kind: Literal["stream"] = "stream"
    stream: ServerPath = setting(..., "H.264 stream", STREAM_HELP, widget="any")
    originals: ServerPath = setting(..., "Originals", ORIGINALS_HELP, widget="any")
    offset: int = setting(
        0,
        "Frame offset",
        "Frame n of the stream belongs to original n + offset. Use 1 if the first frame was lost.",
        unit="frames",
        more=True,
        ge=-MAX_OFFSET,
        le=MAX_OFFSET,
    )
    raw: RawVideo = RawVideo()


class FoldersSource(Spec):
    """A folder of damaged images and a folder of their originals."""

    model_config = ConfigDict(title="Two folders")

    kind: Literal["folders"] = "folders"
    input: ServerPath = setting(..., "Inputs", "The folder of the damaged images.", widget="folder")
    target: ServerPath = setting(..., "Targets", "The folder of the originals.", widget="folder")
    pairing: Literal["stem", "order"] = setting(
        "stem",
        "Pair by",
        "stem: by file name, so a.jpg belongs to a.png; unmatched names are listed. order: the "
        "n-th input belongs to the n-th target.",
    )


class CompressSource(Spec):
    """Originals, which the job compresses with libx264. It keeps the streams."""

    model_config = ConfigDict(title="Originals only: compress them")

    kind: Literal["compress"] = "compress"
    originals: ServerPath = setting(..., "Originals", ORIGINALS_HELP, widget="any")
    qp: Annotated[list[Annotated[int, Field(ge=0, le=51)]], FromText] = setting(
        [],
        "QP",
        "Constant quantisers from 0 to 51, such as 27, 32, 37. Larger values damage more. One "
        "stream each; 37 if no rate is set.",
        widget="list",
    )
    crf: Annotated[list[Annotated[float, Field(ge=0, le=51)]], FromText] = setting(
        [],
        "CRF",
        "Constant rate factors from 0 to 51. Larger values damage more. One stream each.",
        widget="list",
        more=True,
    )
    bitrate: Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], FromText] = setting(
        [],
        "Bit rate",
        "Mean bit rates. Lower values damage more. One stream each.",
        unit="kbit/s",
        widget="list",
        more=True,
    )
    preset: Literal[
        "ultrafast",
        "superfast",
        "veryfast",
        "faster",
        "fast",
        "medium",
        "slow",
        "slower",
        "veryslow",
    ] = setting("medium", "Preset", "Slower presets compress better and take longer.", more=True)
    gop: int | None = setting(
        None,
        "GOP",
        "Largest distance between key frames; empty for x264's default of 250.",
        unit="frames",
        more=True,
        ge=1,
        le=10_000,
    )
    b_frames: int | None = setting(
        None,
        "B-frames",
        "Largest number of consecutive B-frames; empty for the default of the preset.",
        more=True,
        ge=0,
        le=16,
    )
    tune: Literal[
        "none",
        "film",
        "animation",
        "grain",
        "stillimage",
        "psnr",
        "ssim",
        "fastdecode",
        "zerolatency",
    ] = setting("none", "Tune", "The content or metric that x264 optimises for.", more=True)
    profile: Literal["auto", "baseline", "main", "high"] = setting(
        "auto", "Profile", "The H.264 profile; auto lets x264 choose.", more=True
    )
    frame_rate: float = setting(
        25,
        "Frame rate",
        "Frames per second of the streams. Affects only streams with a bit rate.",
        unit="/s",
        more=True,
        gt=0,
        le=1000,
    )
    raw: RawVideo = RawVideo()

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if not (self.qp or self.crf or self.bitrate):
            self.qp = [37]
        return self


class Entry(Spec):
    """One sequence of a manifest."""

    stream: ServerPath
    originals: ServerPath
    split: Literal["", "train", "val", "test"] = ""
    name: str = ""


class SequencesSource(Spec):
    """Many streams, each with its originals."""

    model_config = ConfigDict(title="Many sequences")

    kind: Literal["sequences"] = "sequences"
    manifest: ServerPath = setting(
        ...,
        "Sequences",
        "A CSV file with the columns stream, originals and optionally split (train, val, test), "
        "with paths relative to the file. Or a folder with one sub-folder per sequence (a "
        "stream and its originals), or with streams such as clip.264 next to clip/ or clip.y4m.",
        widget="any",
    )
    entries: list[Entry] = Field(
        [],
        description="The sequences of the manifest when the job was created; set by the program.",
    )


Source = Annotated[
    StreamSource | FoldersSource | CompressSource | SequencesSource,
    Field(discriminator="kind"),
    discriminated_by("kind", "stream"),
]


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
        "Side of the square patches that training pairs are cut into; empty for whole frames. "
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
        "The same choices as for inputs. jpeg damages the ground truth.",
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
    name: Name = setting(..., "Name", "The name of the dataset in lists.")
    group: Text = setting("", "Group", "Lists can be sorted and filtered by group.", more=True)
    notes: Notes = setting(
        "", "Notes", "Free text for you and your colleagues.", more=True, widget="notes"
    )
