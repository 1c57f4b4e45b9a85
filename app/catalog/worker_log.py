"""The output of a job's worker (worker.log), in parts, for a page that follows it."""

import codecs
import os
from pathlib import Path
from typing import BinaryIO

from app.answers import WorkerLog

MAX_BYTES = 64 * 1024
"""Maximum size of a part."""


def part(path: Path, start: int | None) -> WorkerLog:
    """The text of at most MAX_BYTES bytes from the byte offset `start` on.

    `from` and `next` are the offsets of its first byte and of the byte behind its last; `size` is
    the size of the log. With None for `start`, the part is the end of the log, from the beginning
    of a line. If `start` is beyond the end, the log is a different file than before, and the part
    begins at 0. A character whose last bytes are missing is left for the next part.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return {"text": "", "from": 0, "next": 0, "size": 0}
    with file:
        size = file.seek(0, os.SEEK_END)
        if start is None:
            start = _line_near_the_end(file, size)
        elif start > size:
            start = 0
        file.seek(start)
        data = file.read(min(MAX_BYTES, size - start))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    incomplete = len(decoder.getstate()[0])
    return {"text": text, "from": start, "next": start + len(data) - incomplete, "size": size}


def _line_near_the_end(file: BinaryIO, size: int) -> int:
    """The offset of the first line that begins within the last MAX_BYTES bytes.

    A line may be longer than that: a progress bar redraws itself on one line. Then it is the offset
    of a redraw, or else of a character.
    """
    begin = size - MAX_BYTES
    if begin <= 0:
        return 0
    file.seek(begin - 1)
    block = file.read(MAX_BYTES)  # Without the last byte: no line begins behind it.
    for mark in (b"\n", b"\r"):
        if mark in block:
            return begin + block.index(mark)
    return begin + next((at for at, byte in enumerate(block[1:4]) if byte & 0xC0 != 0x80), 3)
