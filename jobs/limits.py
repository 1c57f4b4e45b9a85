"""How much one file may ask of a worker: a few kilobytes can unpack to gigabytes."""

import os

MAX_IMAGE_MB = int(os.environ.get("CLEARFRAME_MAX_IMAGE_MB", "512"))
"""What one picture may take in memory, in MiB: the setting --max-image-mb of the server."""

MAX_IMAGE_BYTES = MAX_IMAGE_MB * 2**20


def too_large(width: int, height: int) -> str:
    """Why an RGB picture of this size is refused; empty where it is not."""
    if width * height * 3 <= MAX_IMAGE_BYTES:
        return ""
    return f"it is {width}x{height}, more than the {MAX_IMAGE_MB} MiB that a picture may take (--max-image-mb)"
