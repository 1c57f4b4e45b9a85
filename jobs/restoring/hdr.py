"""HDR10: the mastering display and the light level of a video, for the encoders x264 and x265."""

import struct
from typing import Any

import av

MASTERING, LIGHT_LEVEL = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
CHROMATICITY, LUMINANCE = 50_000, 10_000
"""Units of the encoders' values: 0.00002, and 0.0001 cd/m²."""
NAMES = {"x264-params": ("mastering-display", "cll"), "x265-params": ("master-display", "max-cll")}
"""The options of an encoder, by FFmpeg's option that holds them."""


def side_data(frame: av.VideoFrame) -> dict[str, Any]:
    """The side data of a frame, buffers, by FFmpeg's name of its type."""
    entries: Any = frame.side_data  # PyAV's stub types it as a mapping.
    return {entry.type.name: entry for entry in entries}


def has_light_level(frame: av.VideoFrame) -> bool:
    """Whether a frame has any HDR10 metadata."""
    return not {MASTERING, LIGHT_LEVEL}.isdisjoint(side_data(frame))


def is_complete(frame: av.VideoFrame) -> bool:
    """Whether `params` has all HDR10 metadata of a frame."""
    found = side_data(frame)
    return MASTERING not in found or bool(_mastering(bytes(found[MASTERING])))


def params(frame: av.VideoFrame, option: str) -> list[str]:
    """The values of the `option` of `NAMES` for the HDR10 metadata of a frame."""
    found, (mastering, light_level) = side_data(frame), NAMES[option]
    options = []
    if MASTERING in found and (display := _mastering(bytes(found[MASTERING]))):
        options.append(f"{mastering}={display}")
    if LIGHT_LEVEL in found:
        content, average = struct.unpack("=2I", bytes(found[LIGHT_LEVEL])[:8])
        options.append(f"{light_level}={content},{average}")
    return options


def _mastering(data: bytes) -> str:
    """The encoders' text for FFmpeg's AVMasteringDisplayMetadata: ten rationals, then two flags.

    Empty if a part is missing: the encoders take all or none.
    """
    numbers = struct.unpack("=22i", data[:88])
    if not all(numbers[20:]) or not all(numbers[1:20:2]):
        return ""
    values = [
        round(numerator / denominator * (CHROMATICITY if index < 8 else LUMINANCE))
        for index, (numerator, denominator) in enumerate(
            zip(numbers[0:20:2], numbers[1:20:2], strict=True)
        )
    ]
    red, green, blue, white = (f"({values[at]},{values[at + 1]})" for at in range(0, 8, 2))
    return f"G{green}B{blue}R{red}WP{white}L({values[9]},{values[8]})"
