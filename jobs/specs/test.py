"""What a test job can be asked to do."""

from typing import Literal, Self

from pydantic import model_validator

from jobs.specs.base import SNAPSHOT, JobId, ServerPath, Spec, setting


class TestSpec(Spec):
    """Run a model on one image and look at what every layer did."""

    kind: Literal["image"] = "image"
    model: JobId
    name: str = setting(
        "", "Name", "How the test is called in lists: as its image, where nothing is given.", more=True, max_length=200
    )
    snapshot: str = setting(
        "best",
        "Snapshot",
        "The weights to test: best is the one with the lowest validation loss.",
        widget="snapshot",
        pattern=SNAPSHOT,
    )
    image: ServerPath | None = setting(None, "Image", "A path on the server, or a file from your machine.", widget="image")
    target: ServerPath | None = setting(
        None, "Ground truth", "The undamaged image of the same size, where you have it.", widget="image"
    )
    pair: int | None = setting(None, "Validation pair", "Number of a pair of the model's dataset, in place of an image.", ge=0)
    layers: bool = setting(True, "Show visualizations and statistics", "Each layer's activations, weights and numbers.")

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.image is None) == (self.pair is None):
            raise ValueError("give an image or the number of a validation pair")
        if self.pair is not None and self.target is not None:
            raise ValueError("a validation pair brings its own ground truth")
        self.name = self.name.strip() or (
            f"validation pair {self.pair}" if self.image is None else self.image.split("/")[-1][:200]
        )
        return self
