"""Pages and JSON are sent compressed: a slow line shows them in a third of the time.

An attacker who compares sizes of compressed pages (BREACH) could learn the token of their forms.
It is of no use to them: app/web/safety.py also refuses changes that other sites request.
"""

from collections.abc import Iterable, Iterator

from flask import Flask, Response, request
from isal import isal_zlib
from werkzeug.wsgi import ClosingIterator

MIMETYPES = frozenset({"text/html", "application/json", "text/csv", "text/plain", "image/svg+xml"})
FILES = MIMETYPES | {"text/css", "text/javascript"}
FILE_ENDPOINTS = frozenset({"static", "docs.help"})
"""Their files are compressed as well: documents, and styles and scripts without a bundle. Files of
jobs are not: their downloads have a length, and can be continued."""
SMALLEST = 500
"""Bytes from which compression pays."""
GZIP = 31
"""Window bits of zlib for the gzip format."""


def init_app(app: Flask) -> None:
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Compress a text while it is sent, if the client accepts gzip."""
    is_file = request.endpoint in FILE_ENDPOINTS
    if response.mimetype not in (FILES if is_file else MIMETYPES) or response.status_code != 200:
        return response
    response.vary.add("Accept-Encoding")
    is_small = response.is_sequence and (response.content_length or 0) < SMALLEST
    if (
        is_small
        or (response.direct_passthrough and not is_file)
        or response.content_encoding
        or request.accept_encodings.quality("gzip") == 0
    ):
        return response
    parts = response.iter_encoded()
    if response.is_sequence:
        response.set_data(b"".join(compressed(parts)))
    else:
        close = getattr(response.response, "close", None)
        response.response = ClosingIterator(compressed(parts), close)
        response.direct_passthrough = False
        for name in ("Content-Length", "Accept-Ranges"):
            response.headers.pop(name, None)
    response.content_encoding = "gzip"
    return response


def compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts as a gzip stream, by an implementation that takes 2 ms a megabyte."""
    compressor = isal_zlib.compressobj(level=isal_zlib.ISAL_BEST_COMPRESSION, wbits=GZIP)
    for part in parts:
        if data := compressor.compress(part):
            yield data
    yield compressor.flush()
