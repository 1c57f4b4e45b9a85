"""The order in which waiting jobs start: by priority, then by place.

The place of a job is its creation time, until a user moves it.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.answers import Anyway, Priority
from app.catalog.database import JobRow


class Queue(BaseModel):
    """What users set for a waiting job; stored in job.json next to the spec."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    priority: Priority = 0
    place: float | None = Field(
        None,
        description="Sort key within a priority, ascending. "
        "The default is the creation time, in seconds since the epoch.",
    )
    anyway: Anyway = False


def start_order(waiting: list[JobRow]) -> list[JobRow]:
    """Sort waiting jobs: the next to start comes first."""
    return sorted(waiting, key=_key)


def _key(row: JobRow) -> tuple[int, float, str]:
    queue = Queue.model_validate(row.queue)
    return -queue.priority, row.created if queue.place is None else queue.place, row.id


def reordered(waiting: list[JobRow], id: str, before: str | None) -> dict[str, dict[str, Any]]:
    """The changes, by job, after which the job `id` starts just before the job `before`.

    With None for `before` it starts last. The places become 0, 1, 2 …: jobs that are created later
    have their creation time as place, so they start after these. Raises KeyError if one of the two
    jobs is not waiting.
    """
    rows = {row.id: row for row in start_order(waiting)}
    moved = rows.pop(id)
    order = list(rows.values())
    at = len(order) if before is None else order.index(rows[before])
    neighbour = order[at] if before is not None else order[-1] if order else moved
    priority = Queue.model_validate(neighbour.queue).priority
    order.insert(at, moved)
    group = [
        row for row in order if row is moved or Queue.model_validate(row.queue).priority == priority
    ]
    return {
        row.id: {"priority": priority, "place": float(place)} for place, row in enumerate(group)
    }
