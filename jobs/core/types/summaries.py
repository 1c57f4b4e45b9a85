"""Types of the summary of a job, by kind of job, and of the view that contains it.

A key is absent until the job has got so far.
"""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from jobs.core.types.facts import PictureFacts, TestFacts, TrainingFacts, VideoInput
from jobs.core.types.fields import (
    Bytes,
    FrameType,
    JobState,
    Kind,
    Psnr,
    Split,
    Ssim,
    Time,
    Url,
    doc,
)
from jobs.core.types.layers import Histogram, ShownLayer
from jobs.core.types.load import Progress, ShownHardware
from jobs.core.types.samples import DatasetSample, Skipped, ValidationSample


class RankedPair(TypedDict):
    """One of the best or worst pairs of a dataset."""

    split: Split
    pair: Annotated[int, doc("Number of the pair in its split.")]
    sequence: str
    frame: int
    original: str
    qp: float | None
    psnr_input: Psnr
    ssim_input: Ssim


class Source(TypedDict):
    """A sequence of a dataset: where its inputs and originals are."""

    name: str
    inputs: str
    originals: str
    frames: int
    rate: Annotated[str | None, doc("Rate control of the encoder, such as “QP 37”.")]
    colour: Annotated[str | None, doc("Colour matrix and range of the stream.")]


class DatasetFacts(TypedDict, total=False):
    """What only the summary of a dataset has."""

    pairs: Annotated[dict[str, int], doc("Pairs by split.")]
    sizes: Annotated[int, doc("Number of different sizes.")]
    smallest_side: Annotated[int, doc("Pixels.")]
    channels: Annotated[int, doc("1 for grayscale, 3 for RGB.")]
    psnr_histogram: Annotated[Histogram | None, doc("In dB; null if all pairs are equal.")]
    equal_pairs: Annotated[int, doc("Pairs whose input equals the target.")]
    worst_pairs: Annotated[list[RankedPair], doc("The six with the smallest PSNR.")]
    best_pairs: Annotated[list[RankedPair], doc("The six with the largest PSNR.")]
    frame_types: Annotated[
        dict[FrameType, int], doc("Pairs by frame type of the input; without those of images.")
    ]
    qp_range: Annotated[
        list[float] | None, doc("Least and greatest mean QP of an input; null where none is known.")
    ]
    sequences: Annotated[int, doc("Number of sequences.")]
    sources: Annotated[list[Source], doc("The first 100 of them, in order.")]
    skipped: Annotated[int, doc("Number of files and frames that were left out.")]
    skipped_first: Annotated[list[Skipped], doc("The first 200 of them.")]
    pairs_per_second: Annotated[float, doc("Speed of making the dataset.")]


class Timed(TypedDict, total=False):
    """How long a job took."""

    seconds: Annotated[float, doc("Seconds of work; of a test of one image, of the restoration.")]


class Sampled(TypedDict, total=False):
    """Pictures of a dataset, or of a training after its last validation."""

    samples: Annotated[list[DatasetSample | ValidationSample], doc("Fields of `sample` events.")]


class Layered(TypedDict, total=False):
    """Layers of a test, or of a training's first sample."""

    layers: Annotated[list[ShownLayer], doc("Fields of `layer` events, in order.")]


Validation = TypedDict(
    "Validation",
    {
        "val/l1": Annotated[float | None, doc("Mean absolute difference, 0 to 1.")],
        "val/l1_input": float | None,
        "val/psnr": Annotated[float | None, doc("dB.")],
        "val/psnr_input": Annotated[float | None, doc("dB; of the unrestored inputs.")],
        "val/psnr_y": Annotated[float | None, doc("dB, of the brightness.")],
        "val/psnr_y_input": float | None,
        "val/ssim": float | None,
        "val/ssim_input": float | None,
    },
    total=False,
)
Validation.__doc__ = "The scores of a validation; null where they are infinite."


class Snapshot(Validation):
    """A snapshot of a training, with the validation at that moment if there was one."""

    snapshot: Annotated[str, doc("The name, such as epoch-0012.")]
    epoch: float
    step: int
    size: Bytes


TestSplit = TypedDict(
    "TestSplit",
    {
        "snapshot": Annotated[str, doc("The best snapshot.")],
        "test/l1": float | None,
        "test/l1_input": float | None,
        "test/psnr": Annotated[float | None, doc("dB.")],
        "test/psnr_input": Annotated[float | None, doc("dB; of the unrestored inputs.")],
        "test/psnr_y": float | None,
        "test/psnr_y_input": float | None,
        "test/ssim": float | None,
        "test/ssim_input": float | None,
    },
)
TestSplit.__doc__ = "The scores of the best snapshot on the test split."


class Trained(TrainingFacts, total=False):
    """What only the summary of a training has."""

    best: Annotated[
        Snapshot,
        doc("The snapshot with the smallest val/l1, or the largest val/psnr: see `leader`."),
    ]
    last: Annotated[Snapshot, doc("The newest, from which the training would resume.")]
    snapshots: Annotated[list[Snapshot], doc("Those that exist, in the order of writing.")]
    patches_per_second: Annotated[float, doc("Speed of the training.")]
    multiply_adds_per_second: Annotated[float, doc("Speed of the training.")]
    test: Annotated[TestSplit, doc("When done, if the datasets have a test split.")]


class Tested(TestFacts, total=False):
    """What only the summary of a test has."""

    input: Annotated[str | VideoInput, doc("URL of the image; of a video its facts.")]
    output: Url
    target: Annotated[str | None, doc("URL; null without a ground truth.")]


class DatasetSummary(PictureFacts, Timed, Sampled, DatasetFacts):
    """The summary of a dataset: complete when the dataset is done."""


class ModelSummary(Timed, Sampled, Layered, Trained):
    """The summary of a training."""


class TestSummary(PictureFacts, Timed, Layered, Tested):
    """The summary of a test.

    Of one image: the fields of its `sample` event, `layers` and `layers_of`. Of many images:
    `snapshot`, and `images` to `gain`. Of a video: `snapshot`, `input`, `measured`, `note` to
    `worst`, the size and the mean scores.
    """


class JobSummary(PictureFacts, Timed, Sampled, Layered, DatasetFacts, Trained, Tested):
    """The summary of a job of any kind: it has keys of one of the three types above."""


class Passed(TypedDict):
    """A state that a job entered."""

    state: JobState
    time: Time
    reason: str


class Losses(TypedDict):
    """The thinned training loss, for the small curve in lists."""

    seen: Annotated[int, doc("Losses so far.")]
    every: Annotated[int, doc("Every how many-th of them is kept.")]
    values: list[float]


class JobFile(TypedDict):
    """The file job.json of a job's folder."""

    id: str
    kind: Kind
    name: str
    created: Annotated[float, doc("Seconds since the epoch.")]
    spec: dict[str, Any]
    queue: NotRequired[Annotated[dict[str, Any], doc("Settings of app/catalog/queue.py.")]]
    owner: NotRequired[Annotated[str, doc("Name of the user who made it.")]]


class View(TypedDict):
    """A job's event log, folded into what pages and lists show (jobs/core/view.py)."""

    state: JobState
    reason: str
    progress: Progress | None
    summary: JobSummary
    seq: Annotated[int, doc("Number of the last event that the view contains; 0 for none.")]
    started: Annotated[float | None, doc("Seconds since the epoch.")]
    finished: Annotated[float | None, doc("Seconds since the epoch.")]
    gpus: Annotated[list[int] | None, doc("The GPUs that a training was given.")]
    history: Annotated[list[Passed], doc("The last 50 states.")]
    losses: Losses
    hardware: ShownHardware | None
