"""Types of the bodies of API requests, from the specs of jobs. OpenAPI describes requests by them.

Imports `app.answers`, `jobs.core` and `jobs.specs`.
"""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from app.answers import Anyway, Priority
from jobs.core.types.fields import doc
from jobs.specs import DatasetSpec, ImagesTest, ImageTest, ModelSpec, Spec, SplitTest, VideoTest

NewTest = Annotated[ImageTest | ImagesTest | SplitTest | VideoTest, Field(discriminator="kind")]
NewStarterTest = Annotated[ImageTest | ImagesTest | VideoTest, Field(discriminator="kind")]
ModelDraft = Annotated[
    dict[str, Any], doc("As for a new model; any field may be missing or wrong.")
]


class ProbeRequest(DatasetSpec):
    """The sources of a dataset, and how they are split and cut."""

    name: str = "probe"
    thorough: bool = Field(
        False, description="Compare all frames, for up to 25 s; otherwise as many as 0.5 s allows."
    )


class Resume(Spec):
    """Where a job continues."""

    snapshot: str = Field(
        "", description="Of a training: the name of the snapshot; empty for the last."
    )


class Move(Spec):
    """The new place of a job in the queue."""

    before: str | None = Field(
        description="The id of a waiting job, or null for the end of the queue."
    )


class JobChanges(TypedDict, total=False):
    """New texts of a job, or the settings of a waiting job in the queue."""

    name: Annotated[str, Field(max_length=200)]
    group: Annotated[str, Field(max_length=200)]
    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=40, pattern="^[^,;]*$")]],
        Field(max_length=20),
        doc("Also a text, with commas between the tags."),
    ]
    notes: Annotated[str, Field(max_length=10_000)]
    priority: Priority
    anyway: Anyway


def _as_in(spec: type[Spec], name: str) -> Any:
    """The type and bounds of a field of a spec."""
    return spec.model_fields[name]


class NewLength(Spec):
    """The new length of a training: exactly one of these."""

    epochs: int | None = _as_in(ModelSpec, "epochs")
    steps: int | None = _as_in(ModelSpec, "steps")
    minutes: float | None = _as_in(ModelSpec, "minutes")
