"""Types of single fields, with their units and ranges, for the types next to this file."""

from typing import Annotated, Any, Literal

from pydantic import Field


def doc(text: str) -> Any:
    """The description of a field: one or two sentences, with unit and range."""
    return Field(description=text)


Kind = Literal["dataset", "model", "test"]
Leader = Literal["loss", "psnr"]
"""What makes a snapshot the best one: the lowest validation loss, or the highest PSNR."""
JobState = Literal["waiting", "running", "done", "error", "aborted"]
Split = Literal["train", "val", "test"]
FrameType = Literal["I", "P", "B"]
Level = Literal["info", "warning"]

Bytes = Annotated[int, doc("Bytes.")]
Seconds = Annotated[float, doc("Seconds.")]
Time = Annotated[float, doc("Seconds since the epoch.")]
Psnr = Annotated[float | None, doc("dB; null if the pictures are equal or the truth is unknown.")]
Ssim = Annotated[float | None, doc("-1 to 1; null if it cannot be computed.")]
Url = Annotated[str, doc("URL, from the server's root.")]
Pixels = Annotated[int, doc("Pixels.")]
Two = Annotated[list[int], Field(min_length=2, max_length=2)]
Three = Annotated[list[int], Field(min_length=3, max_length=3)]
Shape = Annotated[Three, doc("[channels, height, width]")]
ReceptiveField = Annotated[
    Two | None,
    doc("[height, width] of the receptive field in pixels of the image; null if unknown."),
]
Scalars = Annotated[
    dict[str, float | None],
    doc("Values by name; null where a value is not finite."),
]
