"""What a dataset job can be asked to do."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from jobs.specs.base import FromText, Name, Notes, Seed, ServerPath, Spec, Words, setting, told_by

Encoding = Literal["none", "png", "jpeg"]

MAX_OFFSET = 8
STREAM_HELP = "A raw .h264, .264 or .avc stream, or .mp4, .mkv, .mov, .ts; or a folder of streams of the same originals."
ORIGINALS_HELP = (
    "A folder of .bmp.gz, .bmp, .png, .tif, .jpg or .webp in natural order: the n-th belongs to frame n. "
    "Or a video: .y4m, lossless .mkv or .mp4, raw .yuv."
)


class RawVideo(Spec):
    """What a raw .yuv file does not say about itself."""

    width: int | None = setting(
        None, "Width of .yuv", "Only for raw .yuv originals.", unit="px", more=True, ge=1, le=16384
    )
    height: int | None = setting(
        None, "Height of .yuv", "Only for raw .yuv originals.", unit="px", more=True, ge=1, le=16384
    )
    pixel_format: Literal["yuv420p", "yuv422p", "yuv444p", "nv12", "gray", "rgb24", "bgr24"] = (
        setting(
            "yuv420p",
            "Pixel format of .yuv",
            "As ffmpeg names it; yuv420p is the usual one.",
            more=True,
        )
    )


class StreamSource(Spec):
    """A stream, and the original of each of its frames."""

    model_config = ConfigDict(title="Stream and originals")

    kind: Literal["stream"] = "stream"
    stream: ServerPath = setting(..., "H.264 stream", STREAM_HELP, widget="any")
    originals: ServerPath = setting(..., "Originals", ORIGINALS_HELP, widget="any")
    offset: int = setting(
        0,
        "Frame offset",
        "Frame n of the stream belongs to original n + offset: 1 where the first frame was lost.",
        unit="frames",
        more=True,
        ge=-MAX_OFFSET,
        le=MAX_OFFSET,
    )
    raw: RawVideo = RawVideo()


class FoldersSource(Spec):
    """Two folders of images: damaged ones, and the originals."""

    model_config = ConfigDict(title="Two folders")

    kind: Literal["folders"] = "folders"
    input: ServerPath = setting(..., "Inputs", "The folder of damaged images.", widget="folder")
    target: ServerPath = setting(..., "Targets", "The folder of their originals.", widget="folder")
    pairing: Literal["stem", "order"] = setting(
        "stem",
        "Pair by",
        "stem: a.jpg belongs to a.png; names without a partner are listed. order: the n-th to the n-th.",
    )


class CompressSource(Spec):
    """Originals only: the job compresses them itself by libx264, and keeps the streams."""

    model_config = ConfigDict(title="Originals only: compress them")

    kind: Literal["compress"] = "compress"
    originals: ServerPath = setting(..., "Originals", ORIGINALS_HELP, widget="any")
    qp: Annotated[list[Annotated[int, Field(ge=0, le=51)]], FromText] = setting(
        [],
        "QP",
        "Quantisers, 0 to 51: one stream each, such as 27, 32, 37. 37 where no rate is given.",
        widget="list",
    )
    crf: Annotated[list[Annotated[float, Field(ge=0, le=51)]], FromText] = setting(
        [], "CRF", "Constant qualities, 0 to 51: one stream each.", widget="list", more=True
    )
    bitrate: Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], FromText] = setting(
        [], "Bit rate", "Mean rates: one stream each.", unit="kbit/s", widget="list", more=True
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
    ] = setting("medium", "Preset", "Slower ones compress better.", more=True)
    gop: int | None = setting(
        None,
        "GOP",
        "Most frames from one key frame to the next; x264 takes 250.",
        unit="frames",
        more=True,
        ge=1,
        le=10_000,
    )
    b_frames: int | None = setting(
        None,
        "B-frames",
        "Most B-frames in a row; the preset decides where nothing is given.",
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
    ] = setting("none", "Tune", "What x264 optimises for.", more=True)
    profile: Literal["auto", "baseline", "main", "high"] = setting(
        "auto", "Profile", "The H.264 profile.", more=True
    )
    frame_rate: float = setting(
        25,
        "Frame rate",
        "Of image folders; matters for bit rates only.",
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
    """One line of a manifest."""

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
        "A CSV file with the columns stream, originals and perhaps split (train, val, test), paths relative to it. "
        "Or a folder: one sub-folder a sequence with a stream and its originals, or clip.264 beside clip/ or clip.y4m.",
        widget="any",
    )
    entries: list[Entry] = Field(
        [], description="What the manifest said when the job was made: filled in by the program."
    )


Source = Annotated[
    StreamSource | FoldersSource | CompressSource | SequencesSource,
    Field(discriminator="kind"),
    told_by("kind", "stream"),
]


class NoSplit(Spec):
    """Nothing is kept back."""

    model_config = ConfigDict(title="None")

    method: Literal["none"] = "none"


class _Share(Spec):
    percent: float = setting(
        10, "Share of the pairs", "The network is never trained on them.", unit="%", ge=1, le=50
    )


class Blocks(_Share):
    """Contiguous blocks of frames: neighbours look alike, so single random frames would leak."""

    model_config = ConfigDict(title="Percent, in contiguous blocks")

    method: Literal["blocks"] = "blocks"


class BySequence(_Share):
    """Whole sequences, drawn by the seed: the strictest split."""

    model_config = ConfigDict(title="Percent, by whole sequences")

    method: Literal["sequences"] = "sequences"


class ByFrame(_Share):
    """Single random frames. This leaks: each has a twin in the training split, and PSNR looks better than it is."""

    model_config = ConfigDict(title="Percent, by random frame (leaks)")

    method: Literal["frames"] = "frames"


class Separate(Spec):
    """Sources of their own: nothing is taken from the training source."""

    model_config = ConfigDict(title="Separate sources")

    method: Literal["separate"] = "separate"
    source: Source = setting(..., "Source", "Where these pairs come from.")


Kept = Annotated[
    Blocks | BySequence | ByFrame | Separate,
    Field(discriminator="method"),
    told_by("method", "blocks"),
]
MayBeKept = Annotated[
    NoSplit | Blocks | BySequence | ByFrame | Separate,
    Field(discriminator="method"),
    told_by("method", "blocks"),
]


class FrameChoice(Spec):
    """Which frames of each sequence are taken."""

    first: int = setting(
        0, "First frame", "The first original is number 0.", more=True, ge=0, le=10_000_000
    )
    last: int | None = setting(
        None, "Last frame", "All of them where nothing is given.", more=True, ge=0, le=10_000_000
    )
    step: int = setting(1, "Step", "2 takes every second frame.", more=True, ge=1, le=10_000)
    most: int | None = setting(
        None, "At most", "Of each sequence.", unit="frames", more=True, ge=1, le=10_000_000
    )
    near_duplicates: float = setting(
        0,
        "Drop near-duplicates",
        "Frames whose original differs from the last one taken by less, on average. 0 keeps all; 1 drops standing pictures.",
        unit="levels",
        more=True,
        ge=0,
        le=64,
    )

    @field_validator("last")
    @classmethod
    def _forward(cls, last: int | None, others: ValidationInfo) -> int | None:
        if last is not None and last < others.data.get("first", 0):
            raise ValueError("it lies before the first frame")
        return last


class PatchGrid(Spec):
    """Training pairs cut into squares beforehand; validation and test pairs stay whole."""

    size: int | None = setting(
        None,
        "Cut into patches",
        "Side of the squares that training pairs are cut into; whole frames where nothing is given. "
        "Validation and test pairs stay whole.",
        unit="px",
        more=True,
        ge=8,
        le=4096,
    )
    stride: int | None = setting(
        None,
        "Stride",
        "From one patch to the next; the patch size where nothing is given.",
        unit="px",
        more=True,
        ge=1,
        le=4096,
    )
    flat_below: float = setting(
        0,
        "Drop flat patches",
        "Those whose target's variance is lower; 0 keeps all.",
        unit="levels²",
        more=True,
        ge=0,
        le=16384,
    )


class DatasetSpec(Spec):
    """Make a dataset of (decoded, original) pairs."""

    source: Source = setting(..., "Source", "Where the pairs come from.", widget="radio")
    validation: Kept = setting(
        Blocks(), "Validation", "Pairs that the network is never trained on."
    )
    test: MayBeKept = setting(NoSplit(), "Test split", "Pairs kept for the very end.", more=True)
    frames: FrameChoice = FrameChoice()
    patches: PatchGrid = PatchGrid()
    channels: Literal["none", "rgb", "grayscale"] = setting(
        "none",
        "Channels",
        "none: as the source has them. grayscale: Y by the matrix of the stream (BT.601 or BT.709), for input and target alike.",
        more=True,
    )
    input_encoding: Encoding = setting(
        "png",
        "Encoding of inputs",
        "png: lossless, about half the size. none: raw bytes, largest, and read fastest in training. jpeg: small, with loss.",
        more=True,
    )
    target_encoding: Encoding = setting(
        "png", "Encoding of targets", "As for inputs; jpeg spoils the truth.", more=True
    )
    jpeg_quality: int = setting(
        95, "JPEG quality", "Where an encoding is jpeg.", more=True, ge=1, le=100
    )
    keep_decoded: bool = setting(
        False,
        "Keep the inputs as BMP",
        "Also writes decoded/000000.bmp and so on into the job's folder.",
        more=True,
    )
    seed: Seed = setting(0, "Seed", "Start of the random numbers of the splits.", more=True)
    name: Name = setting(..., "Name", "How the dataset is called in lists.")
    group: Words = setting("", "Group", "Lists can be sorted and filtered by it.", more=True)
    notes: Notes = setting("", "Notes", "For you and your colleagues.", more=True, widget="notes")
