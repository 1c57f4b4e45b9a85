"""Interlaced video: which field of its frames is shown first.

PyAV neither reads nor writes it. FFmpeg's filters do.
"""

from typing import Any

import av
from av.filter import Graph

TOP_FIRST, BOTTOM_FIRST = 2, 3
"""FFmpeg's AVFieldOrder for frames whose first field is also coded first."""


def field_order(frame: av.VideoFrame) -> int:
    """`TOP_FIRST`, `BOTTOM_FIRST`, or 0 for a progressive frame.

    Containers say it too, but programs disagree about the meaning of their values.
    """
    if not frame.interlaced_frame:
        return 0
    graph = _graph(frame, "select", "eq(interlace_type,TOPFIRST)")
    graph.push(frame)
    try:
        graph.pull()
    except (BlockingIOError, EOFError):
        return BOTTOM_FIRST
    return TOP_FIRST


class FieldMarker:
    """Marks frames, which are all like the first of them, as interlaced."""

    def __init__(self, order: int) -> None:
        self._mode = "tff" if order == TOP_FIRST else "bff"
        self._marking: Graph | None = None

    def mark(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._marking is None:
            self._marking = _graph(frame, "setparams", f"field_mode={self._mode}")
        self._marking.push(frame)
        marked = self._marking.pull()
        assert isinstance(marked, av.VideoFrame)
        return marked


def _graph(like: av.VideoFrame, filter: str, options: str) -> Graph:
    """A graph of one filter, for frames like the given one."""
    graph = Graph()
    time_base: Any = like.time_base or 1
    nodes = [
        graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=time_base
        ),
        graph.add(filter, options),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph
