"""Types of the events of a job's log. `JobEvent` is any of them.

Each class is one type of event; its docstring says when the event is logged.
"""

from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from jobs.core.types.facts import PictureFacts, TestFacts, TrainingFacts, VideoInput
from jobs.core.types.fields import Bytes, JobState, Level, Scalars, Time, doc
from jobs.core.types.layers import Histogram, LayerHistograms, ShownLayer
from jobs.core.types.load import Hardware, Progress
from jobs.core.types.samples import (
    DatasetSample,
    ImageSample,
    ResultRow,
    Skipped,
    ValidationSample,
)
from jobs.core.types.summaries import JobSummary


class Logged(TypedDict):
    """The fields of every event."""

    seq: Annotated[int, doc("Counts from 1 without gaps.")]
    time: Time


class StateFields(TypedDict):
    """A state of a job."""

    state: Annotated[JobState, doc("The new state.")]
    reason: Annotated[str, doc("A sentence, or empty.")]
    summary: NotRequired[Annotated[JobSummary, doc("With done: lasting results of the job.")]]
    gpus: NotRequired[
        Annotated[list[int] | None, doc("With running: the GPUs that a training was given.")]
    ]
    resume_from: NotRequired[Annotated[str, doc("With waiting: the snapshot to resume from.")]]


class StateEvent(Logged, StateFields):
    """The job has a new state."""

    type: Literal["state"]


class ProgressEvent(Logged, Progress):
    """At most four times a second, and at the end of the work."""

    type: Literal["progress"]


class ScalarsFields(TypedDict):
    """Points of curves."""

    step: Annotated[int, doc("Optimizer steps so far; of a video the number of the frame.")]
    epoch: Annotated[float, doc("Epochs so far, as a fraction.")]
    scalars: Scalars


class ScalarsEvent(Logged, ScalarsFields):
    """Points of curves, by name.

    Of a training `train/<loss>`, `lr`, `gradient_norm`, `images_per_second`, `pixels_per_second`
    and `data_wait` (share of the time). Of a validation `val/l1`, `val/psnr`, `val/psnr_y`,
    `val/ssim`, and each with the suffix `_input`: the score of the unrestored inputs. Of a video
    `input/psnr`, `output/psnr`, `input/ssim`, `output/ssim`, with the frame as `step`.
    """

    type: Literal["scalars"]


class FactsFields(TrainingFacts, TestFacts, PictureFacts, total=False):
    """Facts of a dataset, a training or a test."""

    input: Annotated[VideoInput, doc("Of a test of a video.")]
    psnr_histogram: Annotated[Histogram | None, doc("Of the pairs of a dataset so far, in dB.")]


class FactsEvent(Logged, FactsFields):
    """Facts of a dataset, a training or a test, as soon as they are known, over several events."""

    type: Literal["facts"]


class HardwareEvent(Logged, Hardware):
    """Every 2 s of a training."""

    type: Literal["hardware"]


class RemovedFields(TypedDict):
    """Deleted snapshots."""

    snapshots: Annotated[list[str], doc("Names of the snapshots.")]


class RemovedEvent(Logged, RemovedFields):
    """A user has deleted snapshots."""

    type: Literal["removed"]


class ResumedFields(TypedDict):
    """Where a training continues."""

    step: Annotated[int, doc("The snapshot's step.")]


class ResumedEvent(Logged, ResumedFields):
    """A training continues from a snapshot. Later points of curves belong to the resumed run."""

    type: Literal["resumed"]


class SnapshotFields(TypedDict):
    """A written snapshot."""

    name: Annotated[str, doc("Such as epoch-0012.")]
    epoch: float
    step: int
    size: Bytes
    scalars: Annotated[Scalars, doc("The validation at that moment; empty without one.")]
    removed: NotRequired[Annotated[list[str], doc("Names of older snapshots that were removed.")]]


class SnapshotEvent(Logged, SnapshotFields):
    """A training has written a snapshot."""

    type: Literal["snapshot"]


class LayerEvent(Logged, ShownLayer):
    """A layer of a test, or of a training's first sample.

    Of a training it has `step` and `epoch`, and replaces the layer of the same index.
    """

    type: Literal["layer"]


class WeightsFields(TypedDict):
    """Histograms of the weights and gradients of a training."""

    step: int
    epoch: float
    layers: list[LayerHistograms]


class WeightsEvent(Logged, WeightsFields):
    """Histograms of the weights and gradients of a training, after some of its validations."""

    type: Literal["weights"]


class DatasetSampleEvent(Logged, DatasetSample):
    """A pair of a finished dataset, for its page."""

    type: Literal["sample"]


class ImageSampleEvent(Logged, ImageSample):
    """The result of a test of one image."""

    type: Literal["sample"]


class ValidationSampleEvent(Logged, ValidationSample):
    """A part of a validation pair after a validation; replaces that of the same index."""

    type: Literal["sample"]


class ResultsFields(TypedDict):
    """Rows of a test."""

    rows: list[ResultRow]


class ResultsEvent(Logged, ResultsFields):
    """Rows of a test of many images. A newer row replaces an older one of the same index."""

    type: Literal["results"]


class SkippedEvent(Logged, Skipped):
    """A file or frame was left out of a dataset."""

    type: Literal["skipped"]


class LogMessageFields(TypedDict):
    """A note."""

    level: Level
    text: str


class LogMessageEvent(Logged, LogMessageFields):
    """A note of the worker for the job's page."""

    type: Literal["message"]


SampleEvent: TypeAlias = DatasetSampleEvent | ImageSampleEvent | ValidationSampleEvent
JobEvent: TypeAlias = (
    StateEvent
    | ProgressEvent
    | ScalarsEvent
    | FactsEvent
    | HardwareEvent
    | RemovedEvent
    | ResumedEvent
    | SnapshotEvent
    | LayerEvent
    | WeightsEvent
    | SampleEvent
    | ResultsEvent
    | SkippedEvent
    | LogMessageEvent
)
