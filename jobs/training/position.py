"""The position of a training, and its form in a snapshot's state."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs.training.curve import Losses


@dataclass
class Position:
    """How far a training has come.

    `step` counts the finished steps and `seconds` the time spent on them. `best` is the lowest
    validation loss, `validations_since_best` the validations after it. `validated` and `kept` are
    the steps of the last validation and of the last snapshot, `checking` the seconds that all of
    these took.
    """

    step: int = 0
    seconds: float = 0.0
    losses: Losses = field(default_factory=Losses)
    best: float = math.inf
    validations_since_best: int = 0
    validated: int = -1
    kept: int = -1
    checking: float = 0.0


def position_of(state: dict[str, Any]) -> Position:
    fields = state["position"]
    return Position(**{**fields, "losses": Losses(**fields["losses"])})


def as_state(position: Position) -> dict[str, Any]:
    return {"position": asdict(position)}
