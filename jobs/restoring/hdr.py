"""HDR10: the mastering display and the light level of a video, for the encoder x264."""

import struct
from typing import Any

import av

MASTERING, LIGHT_LEVEL = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
CHROMATICITY, LUMINANCE = 50_000, 10_000
"""Units of x264's and HEVC's values: 0.00002, and 0.0001 cd/m²."""


def side_data(frame: av.VideoFrame) -> dict[str, Any]:
    """The side data of a frame, buffers, by FFmpeg's name of its type."""
    entries: Any = frame.side_data  # PyAV's stub types it as a mapping.
    return {entry.type.name: entry for entry in entries}


def has_light_level(frame: av.VideoFrame) -> bool:
    """Whether a frame has any HDR10 metadata."""
    return not {MASTERING, LIGHT_LEVEL}.isdisjoint(side_data(frame))


def is_complete(frame: av.VideoFrame) -> bool:
    """Whether `x264_params` has all HDR10 metadata of a frame."""
    found = side_data(frame)
    return MASTERING not in found or bool(_mastering(bytes(found[MASTERING])))


def x264_params(frame: av.VideoFrame) -> str:
    """The options of x264 for the HDR10 metadata of a frame; empty if it has none."""
    found = side_data(frame)
    options = []
    if MASTERING in found:
        options += _mastering(bytes(found[MASTERING]))
    if LIGHT_LEVEL in found:
        content, average = struct.unpack("=2I", bytes(found[LIGHT_LEVEL])[:8])
        options.append(f"cll={content},{average}")
    return ":".join(options)


def _mastering(data: bytes) -> list[str]:
    """x264's option for FFmpeg's AVMasteringDisplayMetadata: ten rationals, then two flags.

    Empty if a part is missing: x264 takes all or none.
    """
    numbers = struct.unpack("=22i", data[:88])
    if not all(numbers[20:]) or not all(numbers[1:20:2]):
        return []
    values = [
        round(numerator / denominator * (CHROMATICITY if index < 8 else LUMINANCE))
        for index, (numerator, denominator) in enumerate(
            zip(numbers[0:20:2], numbers[1:20:2], strict=True)
        )
    ]
    red, green, blue, white = (f"({values[at]},{values[at + 1]})" for at in range(0, 8, 2))
    return [f"mastering-display=G{green}B{blue}R{red}WP{white}L({values[9]},{values[8]})"]
