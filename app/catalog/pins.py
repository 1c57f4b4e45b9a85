"""Samples of a training that users pin: the server or a command keeps them, the training reads."""

import json
from typing import cast

from app.validation_errors import Invalid
from jobs.core.durable_files import write_whole
from jobs.core.folder import JobFolder
from jobs.core.types.samples import Pinned, PinnedFile
from jobs.specs.samples import MOST_PINNED, PinnedSample


def add(folder: JobFolder, sample: PinnedSample) -> Pinned:
    """Pin a checked sample. Raises Invalid if there are too many."""
    kept = folder.pinned()
    if len(kept["samples"]) >= MOST_PINNED:
        raise Invalid({"pair": f"{MOST_PINNED} samples are pinned. Unpin one of them first."})
    pinned = cast(Pinned, {"index": kept["next"], **sample.model_dump()})
    _write(folder, {"next": kept["next"] + 1, "samples": [*kept["samples"], pinned]})
    return pinned


def remove(folder: JobFolder, index: int) -> bool:
    """Whether a sample was pinned; the training does not show it any more."""
    kept = folder.pinned()
    left = [sample for sample in kept["samples"] if sample["index"] != index]
    _write(folder, {"next": kept["next"], "samples": left})
    return len(left) < len(kept["samples"])


def _write(folder: JobFolder, pinned: PinnedFile) -> None:
    write_whole(folder.pinned_file, json.dumps(pinned), durable=True)
