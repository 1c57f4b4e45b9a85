"""Types of rate-distortion curves."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from jobs.core.types.fields import doc


class RatePoint(TypedDict):
    """A stream of a scene: means over its pairs, PSNR of Y in dB."""

    rate: Annotated[str, doc("Rate control of the encoder, such as “QP 37”.")]
    bits: Annotated[float, doc("Bits per frame of the stream.")]
    psnr_input: float
    psnr_output: float


class RateCurve(TypedDict):
    """The rate-distortion curves of a scene, before and after restoration."""

    scene: str
    bd_rate: Annotated[
        float | None,
        doc("Difference in bits at equal PSNR, as a share; null if the curves have none."),
    ]
    points: Annotated[list[RatePoint], doc("At least four, by bits.")]


class RateDistortion(TypedDict):
    """Rate-distortion curves of the scenes that were coded at four rates or more."""

    bd_rate: Annotated[float | None, doc("Mean over the scenes; -0.072 is 7.2 % fewer bits.")]
    scenes: Annotated[int, doc("Number of scenes.")]
    curves: Annotated[list[RateCurve], doc("The first 20 of them.")]
    snapshot: NotRequired[
        Annotated[str, doc("Of a training: the snapshot whose validation they are of.")]
    ]
