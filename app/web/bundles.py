"""Bundles of scripts and styles, which scripts/bundle.mjs makes at installation.

Without them, or where a source has changed since, pages load each module by itself.
"""

import json
import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

from flask import Response, abort, request, send_from_directory

from jobs.core.paths import ROOT, STATIC, TEMPLATES

DIST = STATIC / "dist"
ENCODINGS = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))
"""The encodings that the bundles lie there in, the smallest first, with their suffixes."""


class Bundle(TypedDict):
    file: str
    """Below static/dist; its name has the hash of its content."""
    imports: list[str]
    """The files that it imports directly."""


@cache
def sources() -> str:
    """Hash of all that bundles are made from, as it was at the first call.

    `sources` of scripts/bundle.mjs computes the same.
    """
    paths: list[str] = []
    for top in (STATIC, TEMPLATES):
        for folder, _, names in os.walk(top):
            paths += [os.path.join(folder, name) for name in names]
    paths = [path for path in paths if not path.startswith(f"{DIST}{os.sep}")]
    digest = sha256()
    # No links: an editor marks a file that somebody edits by a link to nowhere.
    for path in sorted(path for path in paths if not os.path.islink(path)):
        digest.update(f"{os.path.relpath(path, ROOT)}\0".encode())
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


@cache
def bundles() -> dict[str, Bundle]:
    """Bundles by the paths of their entries below static/; empty if they are not up to date."""
    try:
        manifest = json.loads((DIST / "manifest.json").read_bytes())
    except FileNotFoundError:
        return {}
    found: dict[str, Bundle] = manifest["bundles"] if manifest["sources"] == sources() else {}
    return found


def files_of(entry: str) -> list[str]:
    """The file of an entry, and those of its direct and indirect imports, below static/dist."""
    by_file = {bundle["file"]: bundle for bundle in bundles().values()}
    files = [bundles()[entry]["file"]]
    for file in files:  # It grows.
        files += [name for name in by_file[file]["imports"] if name not in files]
    return files


def send_bundle(name: str) -> Response:
    """A file of static/dist, compressed as the client accepts it."""
    if name.endswith(tuple(suffix for _, suffix in ENCODINGS)) or not (DIST / name).is_file():
        abort(404)
    encoding, suffix = next(
        (each for each in ENCODINGS if request.accept_encodings.quality(each[0]) > 0), ("", "")
    )
    mimetype = "text/css" if name.endswith(".css") else "text/javascript"
    response = send_from_directory(DIST, name + suffix, mimetype=mimetype)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    response.vary.add("Accept-Encoding")
    return response
