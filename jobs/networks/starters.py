"""Starters: trained networks that come with the package, for use with or without a training.

Each is a file of weights like a snapshot, `models/starters/NAME.safetensors`, with a model card.
"""

from jobs.networks.from_spec import STARTERS
from jobs.networks.snapshots import read_file, restorer_of
from jobs.specs.networks import Start
from models.restorer import Restorer


def load(name: Start) -> tuple[Restorer, int]:
    """Return the restorer of a starter, in eval mode, and its number of image channels.

    Raises JobError.
    """
    kind, mean, weights = read_file(STARTERS / f"{name}.safetensors")
    return restorer_of(kind, mean, weights, f"starter {name}"), kind.of_image
