"""How the files are called that show what a layer did, below the job's folder. Light: the server looks for them."""

import re

FOLDER = "layers"


def of_layer(index: int, name: str) -> str:
    """Without an ending. A pasted network may call its layers ../x."""
    return f"{FOLDER}/{index:02d}-{re.sub('[^A-Za-z0-9_-]', '_', name)[:60]}"


def of_channel(index: int, name: str, channel: int) -> str:
    return f"{of_layer(index, name)}-c{channel:03d}"
