"""Types of the answers of the JSON API, and of the parts of a page that are made from them.

They build on the types of what jobs write, in jobs/core/types. The OpenAPI description and the
JavaScript typedefs are generated from them. Imports `jobs.core`.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from jobs.core.types.events import JobEvent
from jobs.core.types.facts import TrainingFacts
from jobs.core.types.fields import (
    Bytes,
    FrameType,
    JobState,
    Kind,
    Pixels,
    Psnr,
    Split,
    Ssim,
    Two,
    Url,
    doc,
)
from jobs.core.types.load import Progress
from jobs.core.types.samples import Pinned, ResultRow, Skipped
from jobs.core.types.summaries import JobSummary, Passed

Spec = Annotated[dict[str, Any], doc("The spec of the job, with defaults.")]
Priority = Annotated[int, Field(description="Higher starts first.", ge=-100, le=100)]
Anyway = Annotated[bool, doc("Start even if other programs use the GPU.")]


class QueueSettings(TypedDict, total=False):
    """What users set for a waiting job; only what differs from the defaults."""

    priority: Priority
    place: Annotated[float | None, doc("Sort key within a priority, ascending.")]
    anyway: Anyway


class JobFields(TypedDict):
    """The fields of a job of any kind that do not depend on its kind."""

    id: str
    name: str
    state: JobState
    created: Annotated[float, doc("Seconds since the epoch.")]
    owner: Annotated[str, doc("Name of the user who made it; empty on servers without users.")]
    queue: QueueSettings
    reason: Annotated[str, doc("A sentence about the state, or empty.")]
    progress: Progress | None
    seq: Annotated[int, doc("Number of the last event that this state contains.")]
    started: Annotated[float | None, doc("Seconds since the epoch.")]
    finished: Annotated[float | None, doc("Seconds since the epoch.")]
    history: NotRequired[Annotated[list[Passed], doc("The last states; absent in lists.")]]
    waiting_for: NotRequired[Annotated[str, doc("The reason why a waiting job has not started.")]]


class Job(JobFields):
    """A job."""

    kind: Kind
    spec: Spec
    summary: Annotated[JobSummary, doc("The result so far; lists leave out its large parts.")]


class JobList(TypedDict):
    """A page of jobs."""

    jobs: list[Job]
    cursor: Annotated[str | None, doc("The `cursor` of the next page; null on the last.")]


class Created(TypedDict):
    """A new job."""

    id: str


class CreatedModels(Created):
    """New trainings: one, or one for each value of a sweep."""

    ids: list[str]
    sweep: Annotated[str, doc("Id of the sweep; empty for a single training.")]


class EventList(TypedDict):
    """Events of a job, in order."""

    events: list[JobEvent]
    seq: Annotated[int, doc("Number of the last of them; `since` if there is none.")]


class EventsMessage(TypedDict):
    """A message of Socket.IO, `events`, to a client that watches a job or all jobs."""

    job: Annotated[str, doc("Id, or * for all jobs.")]
    events: list[JobEvent]
    error: NotRequired[Annotated[str, doc("The reason why the job cannot be watched.")]]
    missed: NotRequired[Annotated[bool, doc("True if a list must be loaded again.")]]


class Series(TypedDict):
    """The points of a curve, as columns of equal length."""

    step: list[int]
    epoch: list[float]
    time: Annotated[list[float], doc("Seconds since the epoch.")]
    value: list[float]


class ScalarsResponse(TypedDict):
    """Curves by name."""

    series: dict[str, Series]
    seq: Annotated[int, doc("Number of the last event that the curves contain.")]


class PinnedList(TypedDict):
    """The samples of a training that users have pinned."""

    samples: list[Pinned]


class ResultsPage(TypedDict):
    """A page of the results of a test of many images."""

    results: list[ResultRow]
    total: Annotated[int, doc("Restored images.")]
    pages: int
    page: int
    sort: Literal["index", "name", "psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"]
    order: Literal["asc", "desc"]
    failed: Annotated[int, doc("Images that could not be restored.")]
    failures: Annotated[list[ResultRow], doc("The first of them.")]


class RecordSource(TypedDict):
    """A job that another was made from; only its id if it was deleted."""

    id: str
    kind: Kind | None
    name: str | None
    command: str


class RecordFields(TypedDict):
    """The fields of the record of a job that do not depend on its kind."""

    id: str
    name: str
    state: JobState
    reason: str
    created: Annotated[float, doc("Seconds since the epoch.")]
    started: Annotated[float | None, doc("Seconds since the epoch.")]
    finished: Annotated[float | None, doc("Seconds since the epoch.")]
    command: Annotated[str, doc("The command that makes the job again; empty if there is none.")]
    seed: int | None
    made_from: list[RecordSource]
    facts: TrainingFacts


class RunRecord(RecordFields):
    """What is needed to reproduce a job."""

    kind: Kind
    spec: Spec
    summary: Annotated[JobSummary, doc("The summary without facts and pictures.")]


WorkerLog = TypedDict(
    "WorkerLog",
    {
        "text": str,
        "from": Annotated[int, doc("Offset of the first byte of the text.")],
        "next": Annotated[int, doc("Offset behind its last byte.")],
        "size": Annotated[int, doc("Size of the log in bytes.")],
    },
)
WorkerLog.__doc__ = "A part of the output of a job's worker."


class VideoFacts(TypedDict):
    """Metadata of a video."""

    codec: str
    profile: str
    width: Pixels
    height: Pixels
    pixel_format: str
    frame_rate: Annotated[float | None, doc("Frames per second.")]
    frames: int
    counted: Annotated[bool, doc("Whether all frames were counted; else `frames` is an estimate.")]
    bit_rate: Annotated[float | None, doc("Bits per second.")]
    colour: Annotated[str, doc("Colour matrix and range.")]
    matrix: str
    rate: Annotated[str | None, doc("Rate control of the encoder, such as “QP 37”.")]
    qp: float | None


class ProbeSequence(TypedDict):
    """A sequence of a source."""

    name: str
    input: Annotated[VideoFacts | None, doc("Null if the inputs are images or not made yet.")]
    inputs: NotRequired[Annotated[int, doc("Number of inputs.")]]
    original: Annotated[VideoFacts | None, doc("Null if the originals are images.")]
    originals: Annotated[int, doc("Number of originals.")]
    split: NotRequired[str | None]


class FirstPair(TypedDict):
    """The first pair; without scores if the sizes differ."""

    input: Annotated[str, doc("Data URL of a PNG.")]
    target: Annotated[str, doc("Data URL of a PNG.")]
    psnr: NotRequired[Psnr]
    ssim: NotRequired[Ssim]


class Jump(TypedDict):
    """A frame from which another offset applies."""

    frame: int
    before: int
    after: int
    words: Annotated[str, doc("A sentence.")]


class Alignment(TypedDict):
    """The comparison of a stream with its originals at several frame offsets."""

    offsets: list[int]
    psnr: Annotated[list[float | None], doc("In dB, by offset; null if nothing was compared.")]
    best: Annotated[int, doc("The best offset.")]
    jumps: list[Jump]
    frames: Annotated[int, doc("Number of compared frames.")]
    whole: Annotated[bool, doc("Whether all frames were compared.")]


class Estimate(TypedDict):
    """The expected size of a dataset."""

    pairs: int
    bytes: Bytes
    seconds: float


class TrialRate(TypedDict):
    """A trial encoding at one of the rates."""

    name: Annotated[str, doc("Such as “QP 37”.")]
    psnr: Psnr
    bytes_a_frame: float


class Probe(TypedDict):
    """What a look at the sources of a dataset found."""

    problems: Annotated[list[str], doc("Sentences; the dataset cannot be made.")]
    warnings: Annotated[list[str], doc("Sentences.")]
    skipped: list[Skipped]
    sequences: Annotated[list[ProbeSequence], doc("The first 50.")]
    counted: NotRequired[Annotated[bool, doc("Whether the numbers are counted or estimates.")]]
    frames: NotRequired[int]
    originals: NotRequired[int]
    input_size: NotRequired[Annotated[str, doc("Such as 352x288.")]]
    target_size: NotRequired[Annotated[str, doc("Such as 352x288.")]]
    first: NotRequired[FirstPair]
    estimate: NotRequired[Estimate]
    alignment: NotRequired[Alignment]
    rates: NotRequired[list[TrialRate]]
    free: Annotated[int, doc("Bytes that are free on the disk.")]


class Pair(TypedDict):
    """A pair of a dataset."""

    number: int
    split: Split
    frame: int
    sequence: str
    original: Annotated[str, doc("File name of the original.")]
    qp: float | None
    rate: str | None
    frame_type: Annotated[FrameType | None, doc("Of the input; null if it is no video.")]
    qp_mean: Annotated[
        float | None, doc("Mean QP of the input's macroblocks; null if it is unknown.")
    ]
    patch: Annotated[list[int] | None, doc("[top, left] of a patch; null for a whole frame.")]
    psnr_input: Psnr
    ssim_input: Ssim
    height: Pixels
    width: Pixels
    channels: int
    input_encoding: str
    target_encoding: str
    input: Url
    target: Url
    qp_map: Annotated[
        Url | None, doc("Gray PNG with the QP of each macroblock; null if they are unknown.")
    ]


class PairPage(TypedDict):
    """A page of pairs."""

    pairs: list[Pair]
    total: int
    pages: int
    splits: Annotated[dict[str, int], doc("Pairs by split.")]
    keys: Annotated[list[str], doc("The possible values of `sort`.")]
    split: Split
    sort: Literal["number", "frame", "frame_type", "qp", "qp_mean", "psnr", "ssim"]
    order: Literal["asc", "desc"]
    page: int


class GraphLayer(TypedDict):
    """A layer of the graph of a network."""

    name: str
    words: Annotated[str, doc("The kind of layer, such as “Conv 9×9”.")]
    inputs: Annotated[list[str], doc("Names of layers, or of the graph's input.")]
    shape: Annotated[str, doc("channels×height×width for a patch.")]
    parameters: int
    line: Annotated[int | None, doc("Line of a pasted definition; null without one.")]


class PreviewNetwork(TypedDict):
    """A network before it is trained."""

    layers: list[GraphLayer]
    output: Annotated[str, doc("Name of the last layer.")]
    channels: int
    parameters: int
    receptive_field: Annotated[Two, doc("[height, width] in pixels.")]
    multiply_adds: Annotated[float, doc("Multiply-adds per pixel.")]
    identity: Annotated[bool, doc("Whether the network starts as the identity.")]
    title: str
    paper: str


class PreviewRate(TypedDict):
    """The learning rate over a run."""

    base: float
    points: Annotated[list[float], doc("The rate at equal distances over the run.")]
    dead_at: Annotated[
        float | None, doc("Share of the run from which the rate is under 1 % of its base.")
    ]
    warning: str
    note: str


class Preview(TypedDict):
    """A training before it is created; null where a value is not known."""

    network: PreviewNetwork | None
    notes: list[str]
    rate: PreviewRate | None
    steps: float | None
    steps_an_epoch: int | None
    patches_an_epoch: int | None
    seconds: float | None
    jobs: Annotated[int, doc("Number of trainings that would be created.")]
    name: Annotated[str, doc("A name that no other model has.")]
    problems: Annotated[dict[str, str], doc("Messages by the name of the field.")]
    lines: Annotated[dict[str, int], doc("Line numbers of errors in code, by field.")]


class StartFile(TypedDict):
    """What a network takes from the weights file of a training."""

    sentences: Annotated[list[str], doc("What was taken, and what was not, with all names.")]


class ExportFile(TypedDict):
    """An exported snapshot."""

    name: str
    snapshot: str
    format: str
    size: Bytes
    url: Url


class ExportList(TypedDict):
    """The exported snapshots of a model."""

    exports: list[ExportFile]


class Exported(TypedDict):
    """A new exported file."""

    file: Annotated[str, doc("Path in the job's folder.")]
    card: Annotated[str, doc("Path of the model card in the job's folder, Markdown.")]
    snapshot: str
    size: Bytes
    difference: Annotated[float, doc("Largest difference from torch, for values of 0 to 1.")]
    checked_with: Annotated[str, doc("The program that ran the file, with its version.")]
    seconds: float
    url: Url
    card_url: Url


class FolderEntry(TypedDict):
    """A file or folder."""

    name: str
    path: str
    type: Literal["folder", "file"]
    kind: Annotated[str, doc("What the file contains: image, stream, video, …, other.")]
    size: Annotated[int | None, doc("Bytes; null for folders.")]
    modified: Annotated[float | None, doc("Seconds since the epoch.")]


class Folder(TypedDict):
    """A listed folder, or the completions of a path."""

    path: Annotated[str | None, doc("Null for the list of roots.")]
    roots: list[str]
    entries: list[FolderEntry]
    left_out: Annotated[int, doc("Number of entries that are not listed.")]


class UploadedFile(TypedDict):
    """A file that a form has uploaded."""

    path: Annotated[str, doc("Path on the server.")]


class RefusalReason(TypedDict):
    """A sentence for a person, and one for each wrong field of a request."""

    message: str
    fields: dict[str, str]


class Refusal(TypedDict):
    """Why a request failed: the answer of every status from 400 on."""

    error: RefusalReason


class Links(TypedDict):
    """Addresses where a client of the API can begin."""

    jobs: Url
    files: Url
    health: Url
    metrics: Url
    openapi: Url
    docs: Annotated[str, doc("URL of the page that describes the API.")]


class Health(TypedDict):
    """The server is able to answer."""

    status: Literal["ok"]
    jobs: Annotated[int, doc("Jobs that wait or run, at most 100.")]
