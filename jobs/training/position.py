"""How far a training has come, and how a snapshot's state keeps it."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs.training.curve import Losses


@dataclass
class Position:
    """Where a training stands: steps that are done, seconds spent on them, what is known of their losses; the best
    validation, and how many came since; the steps last validated and kept."""

    step: int = 0
    seconds: float = 0.0
    losses: Losses = field(default_factory=Losses)
    best: float = math.inf
    validations_since_best: int = 0
    validated: int = -1
    kept: int = -1


def position_of(state: dict[str, Any]) -> Position:
    told = state["position"]
    return Position(**{**told, "losses": Losses(**told["losses"])})


def as_state(position: Position) -> dict[str, Any]:
    return {"position": asdict(position)}
