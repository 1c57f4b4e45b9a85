"""File names of layer pictures, relative to the job's folder. Light: the server imports it."""

import re

FOLDER = "layers"


def of_layer(index: int, name: str) -> str:
    """The path of a layer's files, without a file extension.

    Characters of the layer's name that are unsafe in a path become `_`: a pasted network may name a
    layer `../x`.
    """
    return f"{FOLDER}/{index:02d}-{re.sub('[^A-Za-z0-9_-]', '_', name)[:60]}"


def of_channel(index: int, name: str, channel: int) -> str:
    """The path of the files of one channel of a layer, without a file extension."""
    return f"{of_layer(index, name)}-c{channel:03d}"
