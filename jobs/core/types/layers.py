"""Types of the layers of a network: what a test or a training shows of them."""

from typing import Annotated

from typing_extensions import TypedDict

from jobs.core.types.fields import Pixels, ReceptiveField, Shape, Two, Url, doc


class Histogram(TypedDict):
    """A distribution as bars."""

    counts: Annotated[list[int], doc("Values per bar.")]
    edges: Annotated[list[float], doc("Edges of the bars, one more than counts.")]


class ValueHistogram(TypedDict):
    """A distribution of values in bars of equal width."""

    low: Annotated[float, doc("The smallest value.")]
    high: Annotated[float, doc("The largest value.")]
    counts: Annotated[list[int], doc("Values per bar.")]


class LayerHistograms(TypedDict):
    """The weights of a layer at a step; null where a value is not finite."""

    name: str
    weights: ValueHistogram | None
    gradients: Annotated[ValueHistogram | None, doc("Of the last step; null before the first.")]


class LayersRegion(TypedDict):
    """The middle of an image, if the layers of all of it would not fit into memory; in pixels."""

    left: int
    top: int
    width: int
    height: int
    bytes: Annotated[int, doc("Memory that the layers of the whole image would need.")]


class Statistics(TypedDict):
    """Statistics of all values of a layer, or of its weights."""

    mean: Annotated[float, doc("Mean of all values.")]
    std: Annotated[float, doc("Standard deviation.")]
    min: Annotated[float, doc("Smallest value.")]
    max: Annotated[float, doc("Largest value.")]
    zero_share: Annotated[float, doc("Share of the values that are zero, 0 to 1.")]
    not_finite: Annotated[int, doc("Number of values that are not finite.")]
    histogram: Histogram


class TilePage(TypedDict):
    """A gray picture that contains tiles of one size, in rows."""

    picture: Url
    first: Annotated[int, doc("Number of the first tile.")]
    count: Annotated[int, doc("Tiles.")]
    columns: Annotated[int, doc("Tiles per row.")]
    width: Annotated[int, doc("Width of a tile, in pixels.")]
    height: Annotated[int, doc("Height of a tile, in pixels.")]


class ChannelPage(TilePage):
    """A page of channels of a layer. `first` is the channel of the first tile, from 0."""


class KernelPage(TilePage):
    """A page of kernels of a layer; gray 128 is zero."""

    outputs: Annotated[Two, doc("Output channels as [first, count].")]
    inputs: Annotated[Two, doc("Input channels as [first, count].")]


class LayerWeights(Statistics):
    """The weights of a layer."""

    shape: Annotated[list[int], doc("Shape of the tensor.")]
    picture: Annotated[str, doc("URL of the first page.")]
    pages: list[KernelPage]


class ChannelRanges(TypedDict):
    """The range of each channel of a layer."""

    low: Annotated[list[float], doc("The smallest value of each channel.")]
    high: Annotated[list[float], doc("The largest value of each channel.")]
    dead: Annotated[list[int], doc("The channels that are zero everywhere.")]


class LayerFields(Statistics):
    """A layer of the network, as computed for one image."""

    index: Annotated[int, doc("Position in the network, from 1.")]
    name: str
    layer_type: Annotated[str, doc("The module as torch prints it.")]
    parameters: Annotated[int, doc("Number of weights.")]
    shape: Shape
    field: ReceptiveField
    channels: ChannelRanges
    picture: Annotated[str, doc("URL of the first page.")]
    pages: Annotated[list[ChannelPage], doc("At most 64 channels each.")]
    weights: Annotated[LayerWeights | None, doc("Null for a layer without weights.")]


class ShownLayer(LayerFields, total=False):
    """A layer of a test, or of a training at a step."""

    step: Annotated[int, doc("Only of a training: its step.")]
    epoch: Annotated[float, doc("Only of a training.")]


class Box(TypedDict):
    """A part of an image, in pixels."""

    left: int
    top: int
    width: int
    height: int


class StrongestPlace(TypedDict):
    """A position to which a channel responds most."""

    value: float
    x: Annotated[int, doc("Column in the channel's picture.")]
    y: Annotated[int, doc("Row in the channel's picture.")]
    sees: Annotated[
        Box | None, doc("The part of the input in its receptive field; null if unknown.")
    ]


class ChannelStatistics(TypedDict):
    """Statistics of one channel of a layer."""

    low: Annotated[float, doc("The smallest value; black in the picture.")]
    high: Annotated[float, doc("The largest value; white in the picture.")]
    mean: float
    std: float
    zero_share: Annotated[float, doc("Share of the values that are zero, 0 to 1.")]


class ChannelResult(ChannelStatistics):
    """A channel of a layer of a test at full size."""

    picture: Url
    width: Pixels
    height: Pixels
    field: ReceptiveField
    strongest: list[StrongestPlace]
