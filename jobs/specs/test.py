"""The settings of a test job: restore one image, many images, a split of a dataset, or a video.

A test uses a model, or a starter: a trained network of the package.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from jobs.specs.base import SNAPSHOT, JobId, Notes, Number, ServerPath, Spec, Tags, Text, setting
from jobs.specs.networks import Starter

Codec = Literal["h264", "hevc", "ffv1"]
BitDepth = Literal["input", "8"]


def _split_lines(value: Any) -> Any:
    return (
        [line.strip() for line in value.splitlines() if line.strip()]
        if isinstance(value, str)
        else value
    )


Paths = Annotated[list[ServerPath], BeforeValidator(_split_lines)]
"""Several paths; as text, one per line, because a path may contain any other character."""


class _Test(Spec):
    """The common settings of all tests."""

    model: JobId | None = Field(default=None, description="The id of a model; or use a starter.")
    starter: Starter | None = Field(
        default=None,
        validate_default=True,
        description="A trained network of the package; use instead of a model.",
    )
    name: str = setting(
        "",
        "Name",
        "Name shown in lists; empty: the name of the file or pair.",
        more=True,
        max_length=200,
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
    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to test. best has the lowest validation loss, or the highest PSNR if the "
        "training says so.",
        widget="snapshot",
        pattern=SNAPSHOT,
    )

    @field_validator("starter")
    @classmethod
    def _one_network(cls, starter: Starter | None, info: ValidationInfo) -> Starter | None:
        if "model" in info.data and (info.data["model"] is None) == (starter is None):
            raise ValueError("give exactly one of these: the id of a model, or a starter")
        return starter

    @field_validator("snapshot")
    @classmethod
    def _of_a_model(cls, snapshot: str, info: ValidationInfo) -> str:
        if snapshot != "best" and info.data.get("starter") is not None:
            raise ValueError("a starter has no snapshots: leave this out")
        return snapshot


class _TestOfFiles(_Test):
    """The common settings of tests of files, whose QPs may be unknown."""

    qp: Number | None = setting(
        None,
        "QP to assume",
        "Used where a file does not tell its QP, as HEVC, AV1, PNG and WebP. Higher values change "
        "more; without one, a network that takes the QP may change nothing.",
        more=True,
        ge=1,
        le=51,
    )


class ImageTest(_TestOfFiles):
    """Restore one image, measure it, and show what every layer computes."""

    model_config = ConfigDict(title="One image")

    kind: Literal["image"] = "image"
    image: ServerPath | None = setting(
        None,
        "Image",
        "A path on the server, or a file from your computer. An http or https address if the "
        "server was started with --allow-urls.",
        widget="image",
    )
    target: ServerPath | None = setting(
        None,
        "Ground truth",
        "The undamaged image of the same size, to measure against. Optional.",
        widget="image",
    )
    pair: Number | None = setting(
        None,
        "Validation pair",
        "Number of a pair of the model's dataset; use instead of an image.",
        widget="pair",
        ge=0,
    )
    split: Literal["val", "test"] = setting(
        "val",
        "Split of the pair",
        "The split of the dataset that contains the pair.",
        more=True,
        titles={"val": "Validation", "test": "Test"},
    )
    stream: ServerPath | None = setting(
        None,
        "Stream",
        "A video or an H.264 stream; use instead of an image. One of its frames is restored.",
        widget="file",
    )
    frame: Number | None = setting(
        None, "Frame", "Number of the frame in display order, from 0.", ge=0
    )
    layers: bool = setting(
        True,
        "Show visualizations and statistics",
        "Show the activations, weights and statistics of each layer.",
    )

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if [self.image, self.pair, self.stream].count(None) != 2:
            raise ValueError(
                "give exactly one of these: an image, the number of a validation pair, or a stream"
            )
        if self.pair is not None and self.target is not None:
            raise ValueError("a validation pair has its own ground truth: remove the other")
        if self.pair is not None and self.starter is not None:
            raise ValueError("a starter has no validation pairs: give an image or a stream")
        if self.pair is not None and self.qp is not None:
            raise ValueError("a validation pair has the QPs of its dataset: remove the QP")
        if self.frame is not None and self.stream is None:
            raise ValueError("a frame number needs a stream: give the stream, too")
        self.name = self.name.strip() or self._default_name()
        return self

    def _default_name(self) -> str:
        if self.stream is not None:
            return f"{_last_part(self.stream)[:180]} frame {self.frame or 0}"
        pair = f"{'validation' if self.split == 'val' else 'test'} pair {self.pair}"
        return pair if self.image is None else _last_part(self.image)


def _filters() -> Any:
    return setting(
        False,
        "Compare with filters",
        "Also filter each image that has a ground truth by ffmpeg's spp and nlmeans and by BM3D, "
        "each at its best setting on some validation pairs. Takes seconds per image.",
        more=True,
    )


class ImagesTest(_TestOfFiles):
    """Restore many images, and see on which of them the network helps."""

    model_config = ConfigDict(title="Many images")

    kind: Literal["images"] = "images"
    images: Paths = setting(
        ...,
        "Images",
        "Paths of images, folders or lists of paths (.txt), one per line. A number after the "
        "path of an image, as in the lists of Caffe, is ignored.",
        widget="paths",
        min_length=1,
        max_length=10_000,
    )
    targets: ServerPath | None = setting(
        None,
        "Ground truth",
        "The folder of the undamaged images, or a list of their paths (.txt), to measure against. "
        "Equal file names belong together. Optional.",
        widget="any",
    )
    filters: bool = _filters()

    @model_validator(mode="after")
    def _set_name(self) -> Self:
        rest = f" and {len(self.images) - 1:,} more" if len(self.images) > 1 else ""
        self.name = self.name.strip() or _last_part(self.images[0])[: 200 - len(rest)] + rest
        return self


class SplitTest(_Test):
    """Restore all pairs of a split of the model's datasets, and see where the network helps."""

    model_config = ConfigDict(title="A whole split")

    kind: Literal["split"] = "split"
    split: Literal["val", "test"] = setting(
        "val",
        "Split",
        "The split to restore. Training does not use its pairs.",
        titles={"val": "Validation", "test": "Test"},
    )
    filters: bool = _filters()

    @field_validator("starter")
    @classmethod
    def _with_pairs(cls, starter: Starter | None) -> Starter | None:
        if starter is not None:
            raise ValueError("a starter has no dataset to split: give a model")
        return starter

    @model_validator(mode="after")
    def _set_name(self) -> Self:
        self.name = (
            self.name.strip() or {"val": "validation split", "test": "test split"}[self.split]
        )
        return self


class VideoTest(_TestOfFiles):
    """Restore a video to a playable file, and compare it with its input."""

    model_config = ConfigDict(title="A video")

    kind: Literal["video"] = "video"
    video: ServerPath = setting(
        ...,
        "Video",
        "A video or an H.264 stream: a path on the server, or a file from your computer.",
        widget="file",
    )
    originals: ServerPath | None = setting(
        None,
        "Ground truth",
        "The undamaged frames, to measure against: a folder of images or a video, in the order "
        "of the frames. Optional.",
        widget="any",
    )
    codec: Codec = setting(
        "h264",
        "Output format",
        "H.264 plays everywhere, with invisible losses. HEVC takes longer; its files are smaller, "
        "and devices that show HDR play it with 10 bits. FFV1 is lossless, with files several "
        "times as large.",
        titles={"h264": "H.264 (.mp4)", "hevc": "HEVC (.mp4)", "ffv1": "FFV1 (.mkv)"},
    )
    bit_depth: BitDepth = setting(
        "input",
        "Bit depth",
        "The bits per value of the restored video. Few phones, TVs and browsers play H.264 with "
        "10 bits; all play 8.",
        titles={"input": "As the input", "8": "8 bits"},
    )

    @model_validator(mode="after")
    def _set_name(self) -> Self:
        self.name = self.name.strip() or _last_part(self.video)
        return self


def _last_part(path: str) -> str:
    return path.rstrip("/").split("/")[-1][:200]


AnyTest = ImageTest | ImagesTest | SplitTest | VideoTest
TESTS: dict[str, type[AnyTest]] = {
    "image": ImageTest,
    "images": ImagesTest,
    "split": SplitTest,
    "video": VideoTest,
}
