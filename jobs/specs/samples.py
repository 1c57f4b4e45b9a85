"""Samples of a training that users pin: a validation pair, or a region of one, for its page."""

from pydantic import Field

from jobs.specs.base import Number, Spec

LEAST_SIDE = 16
"""Pixels: most networks need this much of an image."""
MOST_PINNED = 4
"""Pictures of whole frames take disk space and time after each validation."""
FIRST_PINNED = 100
"""The index of the first pinned sample; smaller ones belong to the samples of the training."""


class Region(Spec):
    """A part of a frame, in pixels."""

    left: Number = Field(ge=0, description="From the left edge of the frame.")
    top: Number = Field(ge=0, description="From the upper edge of the frame.")
    width: Number = Field(ge=LEAST_SIDE)
    height: Number = Field(ge=LEAST_SIDE)


class PinnedSample(Spec):
    """A sample that a user chose: shown next to those of the training."""

    pair: Number = Field(ge=0, description="Number of the validation pair, from 0.")
    region: Region | None = Field(None, description="Null for the whole frame.")
