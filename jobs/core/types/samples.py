"""Types of restored pictures, pairs and results, which events report and summaries collect."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from jobs.core.types.fields import Pixels, Psnr, Seconds, Split, Ssim, Url, doc


class DatasetSample(TypedDict):
    """A pair of a dataset."""

    pair: Annotated[int, doc("Number of the pair in its split.")]
    split: Split
    frame: Annotated[int, doc("Number of the frame in its sequence.")]
    original: Annotated[str, doc("File name of the original.")]
    input: Url
    target: Url
    psnr_input: Psnr


class Scores(TypedDict):
    """The scores of an input and of its restored output, or means of such scores."""

    psnr_input: Psnr
    psnr_output: Psnr
    ssim_input: Ssim
    ssim_output: Ssim


class BeforeAfter(TypedDict):
    """A number of the input, and of the restored output."""

    input: float
    output: float


class RestoredPicture(Scores):
    """A restored image next to its input."""

    input: Url
    output: Url
    height: Pixels
    width: Pixels


class ImageSample(RestoredPicture):
    """The result of a test of one image."""

    target: Annotated[str | None, doc("URL; null without a ground truth.")]
    snapshot: Annotated[str, doc("Name of the tested snapshot.")]
    seconds: Seconds


class ValidationSample(RestoredPicture):
    """A part of a validation pair during a training; replaces that of the same index."""

    target: Url
    index: Annotated[int, doc("From 0.")]
    pair: Annotated[int, doc("Number of the pair in the validation split.")]
    left: NotRequired[Annotated[Pixels, doc("Left edge of the part in the frame.")]]
    top: NotRequired[Annotated[Pixels, doc("Upper edge of the part in the frame.")]]
    pinned: NotRequired[Annotated[bool, doc("Whether a user chose it.")]]
    step: int
    epoch: float


class PinnedRegion(TypedDict):
    """A part of a frame, in pixels."""

    left: int
    top: int
    width: int
    height: int


class Pinned(TypedDict):
    """A sample of a training that a user pinned."""

    index: Annotated[int, doc("That of its samples; none is given twice.")]
    pair: Annotated[int, doc("Number of the pair in the validation split.")]
    region: Annotated[PinnedRegion | None, doc("Null for the whole frame.")]


class PinnedFile(TypedDict):
    """The file of the pinned samples of a training."""

    next: Annotated[int, doc("Index of the next sample.")]
    samples: list[Pinned]


class ResultRow(TypedDict):
    """An image of a test of many: its scores, or the reason that it has none."""

    index: Annotated[int, doc("From 0.")]
    name: str
    image: NotRequired[Annotated[str, doc("Path of the image.")]]
    target: NotRequired[Annotated[str | None, doc("Path of the ground truth; null without one.")]]
    pair: NotRequired[Annotated[int, doc("Number of the pair, in place of the paths.")]]
    width: NotRequired[Pixels]
    height: NotRequired[Pixels]
    psnr_input: NotRequired[Psnr]
    psnr_output: NotRequired[Psnr]
    psnr_y_input: NotRequired[Annotated[Psnr, doc("dB, of the brightness.")]]
    psnr_y_output: NotRequired[Annotated[Psnr, doc("dB, of the brightness.")]]
    gain: NotRequired[Annotated[float | None, doc("dB; null if it is not finite or unknown.")]]
    ssim_input: NotRequired[Ssim]
    ssim_output: NotRequired[Ssim]
    filters: NotRequired[Annotated[dict[str, float | None], doc("Gains in dB, by filter.")]]
    notes: NotRequired[Annotated[list[str], doc("Conversions and warnings.")]]
    why: NotRequired[Annotated[str, doc("The reason that the image could not be restored.")]]


class Skipped(TypedDict):
    """A file or frame that was left out of a dataset."""

    name: str
    why: str
