"""Types of the facts of a job: `facts` events report them, and the summary collects them."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from jobs.core.types.fields import Bytes, Leader, Pixels, Psnr, Ssim, Two, Url, doc
from jobs.core.types.layers import Histogram, LayersRegion
from jobs.core.types.rates import RateDistortion
from jobs.core.types.samples import BeforeAfter, Scores


class Machine(TypedDict):
    """The machine of a training."""

    processor: str
    cores: int | None
    memory: Bytes
    system: str


class NetworkFacts(TypedDict, total=False):
    """Facts of a network; the last two only of a graph."""

    parameters: Annotated[int, doc("Number of weights.")]
    receptive_field: Annotated[Two, doc("[height, width] in pixels.")]
    multiply_adds: Annotated[float, doc("Multiply-adds per pixel.")]


class TrainingFacts(NetworkFacts, total=False):
    """Facts of a training, to reproduce it."""

    device: Annotated[str, doc("The name of the GPU or CPU.")]
    precision: Annotated[str, doc("Number format of the computation, such as float32.")]
    placement: Annotated[str, doc("Where the pictures are kept.")]
    step_times: Annotated[
        str, doc("Measured times of a step's gradients, the chosen first; empty on CPUs.")
    ]
    steps_an_epoch: Annotated[int, doc("Optimizer steps per epoch.")]
    hardware: Annotated[Machine, doc("The machine of the training.")]
    packages: Annotated[dict[str, str], doc("Versions by package.")]
    leader: Annotated[Leader, doc("What makes a snapshot the best one.")]
    dataset_hash: Annotated[str, doc("SHA-256 of all pairs of the datasets.")]
    rates: Annotated[RateDistortion, doc("Of the best snapshot so far.")]


class GainTotals(TypedDict):
    """The gain (PSNR of the output minus PSNR of the input) over all measured images, in dB."""

    mean: float | None
    median: float | None
    best: float
    worst: float
    improved: Annotated[float, doc("Share of the measured images with a larger PSNR, 0 to 1.")]
    histogram: Histogram


Fluctuation = Annotated[
    BeforeAfter, doc("Standard deviation of the PSNR over the frames of a video, in dB.")
]


class FilterFacts(TypedDict):
    """A filter that a network is compared with."""

    name: Annotated[str, doc("spp, nlmeans or bm3d.")]
    setting: Annotated[str, doc("The best of a few settings on validation pairs.")]
    gain: Annotated[float | None, doc("Mean gain in dB over the measured images.")]
    why: Annotated[str, doc("The reason that it was left out, or empty.")]


class ManyFacts(TypedDict, total=False):
    """Totals of a test of many images, of a split, or of the frames of a video."""

    images: Annotated[int, doc("Restored images.")]
    failed: Annotated[int, doc("Images that could not be restored.")]
    measured: Annotated[int, doc("Images or frames that were compared with a ground truth.")]
    better: Annotated[int, doc("Images with a gain of at least 0.005 dB.")]
    worse: Annotated[int, doc("Images with a loss of at least 0.005 dB.")]
    mean: Annotated[Scores, doc("Means over the measured images; null where none has it.")]
    median: Annotated[Scores, doc("Medians over the measured images.")]
    gain: Annotated[GainTotals | None, doc("Null if no image has a finite gain.")]
    filters: Annotated[list[FilterFacts], doc("Absent if the test does not compare with them.")]
    rates: Annotated[RateDistortion, doc("Of a split; absent where no scene has four rates.")]
    fluctuation: Annotated[
        Fluctuation, doc("Of a split: the mean over its streams; absent without two frames of one.")
    ]


class VideoInput(TypedDict):
    """The video that a test restored. `rate` is the encoder's rate control, such as "QP 37"."""

    codec: str
    profile: str
    width: Pixels
    height: Pixels
    pixel_format: str
    frames: int
    frame_rate: Annotated[float | None, doc("Frames per second; null if unknown.")]
    rate: str | None


class VideoFiles(TypedDict):
    """URLs of the videos that the page compares, and of the times of their frames."""

    input: Url
    output: Url
    times: Annotated[str, doc("URL of a JSON list of seconds.")]
    truth: NotRequired[Annotated[str, doc("URL of the originals, if they are known.")]]


class WorstFrame(TypedDict):
    """The frame with the smallest gain."""

    frame: Annotated[int, doc("Number of the frame, from 0.")]
    gain: Annotated[float, doc("dB.")]


class FrameTotals(Scores):
    """The scores of the frames of a video: means over those with finite scores."""

    measured: Annotated[int, doc("Frames that were compared with their original.")]
    worst: Annotated[WorstFrame | None, doc("Null if no frame has a gain.")]
    fluctuation: NotRequired[Annotated[Fluctuation, doc("Absent without two frames.")]]


class RestoredVideo(TypedDict, total=False):
    """Facts of a test of a video."""

    note: Annotated[str, doc("A sentence if frames and originals differ in number, else empty.")]
    frames: Annotated[int, doc("Frames of the restored video.")]
    frames_per_second: Annotated[float, doc("Speed of the restoration.")]
    codec: str
    file: Annotated[str, doc("URL of the restored video.")]
    sound: Annotated[bool, doc("Whether the video has sound.")]
    shown: Annotated[VideoFiles, doc("What the page compares.")]
    worst: Annotated[WorstFrame | None, doc("Null if no frame has a gain.")]
    vmaf: Annotated[BeforeAfter, doc("0 to 100; absent without an ffmpeg that has libvmaf.")]


class TestFacts(ManyFacts, RestoredVideo, total=False):
    """Facts of a test."""

    snapshot: Annotated[str, doc("Name of the tested snapshot.")]
    layers_of: Annotated[LayersRegion, doc("The shown part; absent if the layers are whole.")]
    psnr_output: Psnr
    ssim_output: Ssim


class PictureFacts(TypedDict, total=False):
    """Facts of pictures: of a dataset the largest size and the means over all pairs."""

    height: Pixels
    width: Pixels
    psnr_input: Psnr
    ssim_input: Ssim
    bytes: Bytes
