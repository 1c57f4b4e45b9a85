"""What a job's worker says outside its events, a part at a time: for a page that follows it."""

import codecs
import os
from pathlib import Path
from typing import Any, BinaryIO

MOST = 64 * 1024
"""Bytes of an answer."""


def part(path: Path, start: int | None) -> dict[str, Any]:
    """The text from a byte offset on, at most MOST bytes of it: `from` and `next` are where it begins and ends, `size` that of
    the whole log. Without an offset it is the end of the log, from the beginning of a line; beyond the end, where another log
    was followed, it begins anew. A character of which only the first bytes are there waits for the next answer."""
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
        data = file.read(min(MOST, size - start))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    waiting = len(decoder.getstate()[0])
    return {"text": text, "from": start, "next": start + len(data) - waiting, "size": size}


def _line_near_the_end(file: BinaryIO, size: int) -> int:
    """Where the first line begins of those that an answer has room for. One line may be longer than that, made of what a bar
    of progress draws over itself: then it is where the bar is drawn anew, or else a character."""
    begin = size - MOST
    if begin <= 0:
        return 0
    file.seek(begin - 1)
    block = file.read(MOST)  # Without the last byte: behind it there is nothing to show.
    for mark in (b"\n", b"\r"):
        if mark in block:
            return begin + block.index(mark)
    return begin + next((at for at, byte in enumerate(block[1:4]) if byte & 0xC0 != 0x80), 3)
