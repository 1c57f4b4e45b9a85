"""The order in which waiting jobs start: by priority, then by place, which is when they were made until they are moved."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.catalog.database import JobRow


class Queue(BaseModel):
    """What people say about a waiting job; it stands in job.json beside the spec."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    priority: int = Field(0, ge=-100, le=100, description="Those of a higher one start first.")
    place: float | None = Field(
        None, description="Seconds since the epoch: where it stands among those of its priority."
    )
    anyway: bool = Field(False, description="Start on a GPU that others use.")


def in_order(waiting: list[JobRow]) -> list[JobRow]:
    """Those that start first come first."""
    return sorted(waiting, key=_key)


def _key(row: JobRow) -> tuple[int, float, str]:
    queue = Queue.model_validate(row.queue)
    return -queue.priority, row.created if queue.place is None else queue.place, row.id


def reordered(waiting: list[JobRow], id: str, before: str | None) -> dict[str, dict[str, Any]]:
    """What changes, by job, so that the job `id` starts just before another one that waits; without one, behind all.

    Places become 0, 1, 2 …: those who come later have the time as theirs, and stand behind. Raises KeyError where one of the two
    does not wait."""
    rows = {row.id: row for row in in_order(waiting)}
    mover = rows.pop(id)
    order = list(rows.values())
    at = len(order) if before is None else order.index(rows[before])
    neighbour = order[at] if before is not None else order[-1] if order else mover
    priority = Queue.model_validate(neighbour.queue).priority
    order.insert(at, mover)
    group = [
        row for row in order if row is mover or Queue.model_validate(row.queue).priority == priority
    ]
    return {
        row.id: {"priority": priority, "place": float(place)} for place, row in enumerate(group)
    }
