"""What a test job can be asked to do: restore one image, many, a whole split of a dataset, or a video."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, model_validator

from jobs.specs.base import SNAPSHOT, JobId, Number, ServerPath, Spec, Words, setting

Codec = Literal["h264", "ffv1"]


def _split_lines(value: Any) -> Any:
    return (
        [line.strip() for line in value.splitlines() if line.strip()]
        if isinstance(value, str)
        else value
    )


Paths = Annotated[list[ServerPath], BeforeValidator(_split_lines)]
"""Several paths; as text, one a line: a path may hold any other character."""


class _Test(Spec):
    """What all tests have."""

    model: JobId
    name: str = setting(
        "",
        "Name",
        "How the test is called in lists: as what is restored, where nothing is given.",
        more=True,
        max_length=200,
    )
    group: Words = setting("", "Group", "Lists can be sorted and filtered by it.", more=True)
    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to test: best is the one with the lowest validation loss.",
        widget="snapshot",
        pattern=SNAPSHOT,
    )


class ImageTest(_Test):
    """Restore one image, measure it, and look at what every layer did."""

    model_config = ConfigDict(title="One image")

    kind: Literal["image"] = "image"
    image: ServerPath | None = setting(
        None, "Image", "A path on the server, or a file from your machine.", widget="image"
    )
    target: ServerPath | None = setting(
        None,
        "Ground truth",
        "The undamaged image of the same size, where you have it.",
        widget="image",
    )
    pair: Number | None = setting(
        None,
        "Validation pair",
        "Number of a pair of the model's dataset, in place of an image.",
        widget="pair",
        ge=0,
    )
    split: Literal["val", "test"] = setting(
        "val",
        "Split of the pair",
        "Which pairs of the dataset the number counts.",
        more=True,
        titles={"val": "Validation", "test": "Test"},
    )
    stream: ServerPath | None = setting(
        None,
        "Stream",
        "A video or an H.264 stream, in place of an image: one of its frames is restored.",
        widget="file",
    )
    frame: Number | None = setting(
        None, "Frame", "Number of the stream's frame, from 0, as it is shown.", ge=0
    )
    layers: bool = setting(
        True, "Show visualizations and statistics", "Each layer's activations, weights and numbers."
    )

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if [self.image, self.pair, self.stream].count(None) != 2:
            raise ValueError(
                "give one of these: an image, the number of a validation pair, or a stream"
            )
        if self.pair is not None and self.target is not None:
            raise ValueError("a validation pair brings its own ground truth")
        if self.frame is not None and self.stream is None:
            raise ValueError("a frame is one of a stream: give that, too")
        self.name = self.name.strip() or self._called()
        return self

    def _called(self) -> str:
        if self.stream is not None:
            return f"{_last_part(self.stream)[:180]} frame {self.frame or 0}"
        pair = f"{'validation' if self.split == 'val' else 'test'} pair {self.pair}"
        return pair if self.image is None else _last_part(self.image)


class ImagesTest(_Test):
    """Restore many images, and see where the network helps and where it does not."""

    model_config = ConfigDict(title="Many images")

    kind: Literal["images"] = "images"
    images: Paths = setting(
        ...,
        "Images",
        "A folder, or paths of images and folders, one a line.",
        widget="paths",
        min_length=1,
        max_length=10_000,
    )
    targets: ServerPath | None = setting(
        None,
        "Ground truth",
        "The folder of the undamaged images, where you have it: those of equal names belong together.",
        widget="folder",
    )

    @model_validator(mode="after")
    def _is_called(self) -> Self:
        rest = f" and {len(self.images) - 1:,} more" if len(self.images) > 1 else ""
        self.name = self.name.strip() or _last_part(self.images[0])[: 200 - len(rest)] + rest
        return self


class SplitTest(_Test):
    """Restore all pairs of a split of the model's datasets, and see where the network helps and where it does not."""

    model_config = ConfigDict(title="A whole split")

    kind: Literal["split"] = "split"
    split: Literal["val", "test"] = setting(
        "val",
        "Split",
        "Pairs that the training has not learned from.",
        titles={"val": "Validation", "test": "Test"},
    )

    @model_validator(mode="after")
    def _is_called(self) -> Self:
        self.name = (
            self.name.strip() or {"val": "validation split", "test": "test split"}[self.split]
        )
        return self


class VideoTest(_Test):
    """Restore a video into a file that plays, and see it beside its input."""

    model_config = ConfigDict(title="A video")

    kind: Literal["video"] = "video"
    video: ServerPath = setting(
        ...,
        "Video",
        "A video or an H.264 stream: a path on the server, or a file from your machine.",
        widget="file",
    )
    originals: ServerPath | None = setting(
        None,
        "Ground truth",
        "The undamaged frames, where you have them: a folder of images, or a video, in the order of the frames.",
        widget="any",
    )
    codec: Codec = setting(
        "h264",
        "Saved as",
        "H.264 plays everywhere, and what it loses cannot be seen; FFV1 loses nothing, and takes about ten times the room.",
        titles={"h264": "H.264 (.mp4)", "ffv1": "FFV1 (.mkv)"},
    )

    @model_validator(mode="after")
    def _is_called(self) -> Self:
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
