"""What the options of `clearframe restore` say about a restoration."""

from dataclasses import dataclass
from pathlib import Path

from jobs.specs.networks import Starter
from jobs.specs.test import BitDepth, Codec


@dataclass(frozen=True)
class Options:
    """What the command's options say about the restoration itself."""

    model_id: str | None
    starter: Starter
    snapshot: str
    home: Path
    codec: Codec
    bit_depth: BitDepth
    qp: int | None
    device: str
    memory: int | None
    overwrite: bool
