"""Types of the parameters of API requests: parts of the path, and query strings.

The query strings of pages of pairs and results, which pages have too, are in app/catalog. Imports
`jobs.core`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from jobs.core.types.fields import JobState, Kind, doc

Id = Annotated[str, doc("Id of the job.")]
UploadId = Annotated[str, doc("Id of the upload: the end of its Location.")]
SnapshotName = Annotated[str, doc("Name of the snapshot, such as epoch-0012.")]
StarterName = Annotated[str, doc("Name of the starter.")]
SampleIndex = Annotated[int, doc("Index of the pinned sample.")]
LayerNumber = Annotated[int, doc("Number of the layer, from 1.")]
ChannelNumber = Annotated[int, doc("Number of the channel, from 0.")]

EventType = Literal[
    "state",
    "progress",
    "scalars",
    "facts",
    "hardware",
    "removed",
    "resumed",
    "snapshot",
    "layer",
    "weights",
    "sample",
    "results",
    "skipped",
    "message",
]
CURSOR = "[0-9a-z]{22}"
"""The id of a job, of which new ones have 22 characters."""
MOST_JOBS = 500
MOST_POINTS = 100_000


def _parts(value: Any) -> Any:
    """The parts of a list in a query string: separated by commas, or repeated parameters."""
    texts = [value] if isinstance(value, str) else value
    return [part for text in texts for part in text.split(",") if part]


FromCommas = BeforeValidator(_parts)
States = Annotated[list[JobState], FromCommas]
Keys = Annotated[list[str], FromCommas]
Step = Annotated[int, Field(ge=0, le=10**15)]


def _cursor(text: str) -> str:
    if re.fullmatch(CURSOR, text) is None:
        raise ValueError("not a cursor: use the `cursor` of the previous page")
    return text


Cursor = Annotated[
    str, AfterValidator(_cursor), Field(json_schema_extra={"pattern": f"^({CURSOR})?$"})
]


class Query(BaseModel):
    """Base of all query strings. An unknown parameter is an error, so no typo is ignored."""

    model_config = ConfigDict(extra="forbid")


class JobsQuery(Query):
    """Which jobs a list has."""

    kind: Kind | None = Field(None, description="Only jobs of this kind.")
    state: States = Field([], description="Only jobs in one of these states.")
    q: str = Field("", description="Only jobs with this text in their names.")
    tag: str = Field("", description="Only jobs with this tag.")
    owner: str = Field("", description="Only jobs that this user made.")
    limit: int = Field(100, ge=1, le=MOST_JOBS, description="At most this number of jobs.")
    cursor: Cursor | None = Field(None, description="The `cursor` of the previous page.")


class EventsQuery(Query):
    """Which events of a job."""

    since: Step = Field(0, description="Only events with a larger `seq`.")
    type: Annotated[list[EventType], FromCommas] = Field(
        [], description="Only events of these types."
    )
    limit: int | None = Field(
        None, ge=1, le=10**15, description="At most this number of events; all without it."
    )


class CurvesQuery(Query):
    """Which curves of a training."""

    keys: Keys = Field([], description="Names of curves, such as val/psnr; all without it.")


class ScalarsQuery(CurvesQuery):
    """Which curves of a training, and which part of them."""

    max_points: int = Field(
        2000, ge=2, le=MOST_POINTS, description="At most this number of points a curve."
    )
    from_step: Step = Field(0, description="Only points from this step on.")
    to_step: Step = Field(10**15, description="Only points up to this step.")


class LogQuery(Query):
    """Which part of the log of a worker."""

    start: Step | None = Field(
        None, alias="from", description="Byte offset of the part; without it, the end of the log."
    )


class FilesQuery(Query):
    """Which folder to list."""

    path: str = Field(
        "", description="A folder, or the beginning of a path to complete; empty for the roots."
    )
