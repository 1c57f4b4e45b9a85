"""The sources of a dataset: where its inputs and originals come from."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from jobs.specs.base import (
    FromText,
    ServerPath,
    Spec,
    discriminated_by,
    setting,
)

MAX_OFFSET = 10_000_000
STREAM_HELP = (
    "A raw .h264, .264 or .avc stream, or .mp4, .mkv, .mov or .ts. Or a folder of streams with "
    "the same originals."
)
ORIGINALS_HELP = (
    "A folder of .bmp.gz, .bmp, .png, .tif, .jpg or .webp in natural order: the n-th image "
    "belongs to frame n. Or a list of their paths (.txt), or a video: .y4m, lossless .mkv or .mp4, "
    "or raw .yuv."
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
    input: ServerPath = setting(
        ...,
        "Inputs",
        "The folder of the damaged images, or a list of their paths (.txt).",
        widget="any",
    )
    target: ServerPath = setting(
        ...,
        "Targets",
        "The folder of the originals, or a list of their paths (.txt).",
        widget="any",
    )
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


class ImportSource(Spec):
    """Pairs of another program, with their splits."""

    model_config = ConfigDict(title="Import: BasicSR, Caffe, WebDataset, Parquet, PNG")

    kind: Literal["import"] = "import"
    pairs: ServerPath = setting(
        ...,
        "Pairs",
        "A folder with train, val and test, and in each input and target (or lq and gt) as folders "
        "of images or LMDB of BasicSR; LMDB of Caffe as DIGITS has them; tar shards of "
        "WebDataset; or Parquet files. The splits are kept.",
        widget="any",
    )


PairsSource = StreamSource | FoldersSource | SequencesSource | ImportSource
"""The sources that have both inputs and originals."""
Source = Annotated[
    StreamSource | FoldersSource | CompressSource | SequencesSource | ImportSource,
    Field(discriminator="kind"),
    discriminated_by("kind", "stream"),
]
